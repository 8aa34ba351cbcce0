import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { sidecarNodeFlags } from "../packages/cli/src/weft-command.ts";
import { findProgram, setUpPeers } from "../tools/peers.ts";
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

/** The bundle as users install it, or the sources. */
export function weftProgram(usesSources: boolean): ProxyProgram {
  const cli = join(import.meta.dirname, "..", "packages", "cli");
  const main = usesSources ? join(cli, "src", "main.ts") : join(cli, "dist", "main.js");
  return {
    name: "weft",
    command: (bootstrap) => [process.execPath, ...sidecarNodeFlags, main, "proxy", "-c", bootstrap],
  };
}
