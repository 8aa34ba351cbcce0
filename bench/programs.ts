import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { sidecarNodeFlags } from "../packages/cli/src/weft-command.ts";
import { findProgram, setUpPeers } from "../tools/peers.ts";
import type { BenchCase } from "./cases.ts";
import type { LoadTools } from "./load.ts";
import type { ProxyProgram } from "./processes.ts";

/** Finds the tools a benchmark needs, setting up what is missing. @throws UserError when one cannot be had. */
export function findTools(): LoadTools & { readonly envoy: string; readonly openssl: string } {
  const missing = setUpPeers(["envoy", "wrk", "h2load", "openssl"]);
  const find = (name: string): string => {
    const path = findProgram(name);
    if (path) return path;
    throw new UserError(`${name} is missing: ${missing.join("; ")}`, {
      hint: "node tools/peers.ts shows more",
    });
  };
  return { envoy: find("envoy"), wrk: find("wrk"), h2load: find("h2load"), openssl: find("openssl") };
}

export function envoyProgram(path: string): ProxyProgram {
  return {
    name: "envoy",
    command: (bootstrap) => [
      path,
      ...["-c", bootstrap, "--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"],
    ],
  };
}

/** What else can be measured beside Envoy, and the Debian package it comes in. Only what has a configuration of its own. */
export const otherPrograms: Readonly<Record<"haproxy" | "nginx", ProxyProgram>> = {
  haproxy: {
    name: "haproxy",
    template: (bootstrap) => bootstrap.replace(/\.yaml$/, ".haproxy.cfg"),
    command: (config) => [findProgram("haproxy") ?? "haproxy", "-db", "-f", config],
  },
  nginx: {
    name: "nginx",
    template: (bootstrap) => bootstrap.replace(/\.yaml$/, ".nginx.conf"),
    command: (config) => [findProgram("nginx") ?? "nginx", "-c", config],
  },
};

/** Whether a program has a configuration for every hop of a case, and speaks its protocols. */
export function canRun(program: ProxyProgram, one: BenchCase): boolean {
  const { template } = program;
  if (!template) return true;
  if (one.protocol !== "http1" || one.hops.some(({ next }) => next !== undefined && next !== "http1")) {
    return false;
  }
  const folder = join(import.meta.dirname, "bootstraps");
  return one.hops.every(({ bootstrap }) => existsSync(join(folder, template(bootstrap))));
}

/** The bundle as users install it, or the sources. */
export function weftProgram(usesSources: boolean): ProxyProgram {
  const cli = join(import.meta.dirname, "..", "packages", "cli");
  const main = usesSources ? join(cli, "src", "main.ts") : join(cli, "dist", "main.js");
  return {
    name: "weft",
    command: (bootstrap) => [process.execPath, ...sidecarNodeFlags, main, "proxy", "-c", bootstrap],
  };
}
