/** Real Envoy and this sidecar on the same bootstrap, for tests that compare their answers. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@weft/base/clock";
import { findPeer } from "@weft/testkit/peer";
import { untilFound } from "@weft/testkit/until";
import { Log } from "./admin/log.ts";
import { decodeBootstrap } from "./config/bootstrap.ts";
import { parseDocument } from "./config/document.ts";
import { Sidecar } from "./sidecar.ts";

export interface Contender {
  readonly name: "Envoy" | "Weft";
  /** Where its first listener listens, on the loopback address. */
  readonly port: number;
  /** A page of its admin endpoint. */
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  close(): Promise<void>;
}

const envoy = findPeer("envoy");

/** For a test's `skip`: false where there is an Envoy. */
export const envoyOrSkip: string | false = envoy ? false : "no Envoy found";

/** Both on a bootstrap with `admin` and one listener, each at port 0 of 127.0.0.1. Needs Envoy. */
export async function startBoth(bootstrap: unknown): Promise<readonly [Contender, Contender]> {
  const text = JSON.stringify(bootstrap);
  return [await startEnvoy(text), await startWeft(text)];
}

/** On a bootstrap as JSON text. Needs Envoy. */
export async function startEnvoy(text: string): Promise<Contender> {
  const directory = mkdtempSync(join(tmpdir(), "weft-envoy-"));
  const config = join(directory, "bootstrap.json");
  const adminFile = join(directory, "admin");
  writeFileSync(config, text);
  const process: ChildProcess = spawn(
    envoy!,
    [
      "-c",
      config,
      "--admin-address-path",
      adminFile,
      "--use-dynamic-base-id",
      "--file-flush-interval-msec",
      "50",
      "--concurrency",
      "1",
      "-l",
      "error",
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  const admin: Contender["admin"] = async (path, method = "GET") => {
    const address = readFileSync(adminFile, "utf8").trim();
    return await (await fetch(`http://${address}${path}`, { method })).text();
  };
  return {
    name: "Envoy",
    port: await listenerPort(admin),
    admin,
    async close() {
      process.kill("SIGKILL");
      rmSync(directory, { recursive: true });
    },
  };
}

/** In this process. */
export async function startWeft(text: string): Promise<Contender> {
  const options = { version: "test" };
  const log = new Log("error", systemClock, () => {});
  const sidecar = new Sidecar(
    decodeBootstrap(parseDocument("bootstrap.json", text)),
    options,
    log,
    systemClock,
  );
  await sidecar.start();
  const { adminAddress } = sidecar;
  const admin: Contender["admin"] = async (path, method = "GET") => {
    if (adminAddress?.kind !== "ip") throw new Error("no admin endpoint");
    return await (await fetch(`http://127.0.0.1:${adminAddress.port}${path}`, { method })).text();
  };
  return { name: "Weft", port: await listenerPort(admin), admin, close: () => sidecar.close() };
}

/** Asks until there is a listener; a bound so that a broken peer fails the test rather than hanging it. */
function listenerPort(admin: Contender["admin"]): Promise<number> {
  const ask = async () => {
    const isReady = (await admin("/ready")).startsWith("LIVE");
    const found = /::127\.0\.0\.1:(\d+)/.exec(await admin("/listeners"));
    return isReady && found ? Number(found[1]) : undefined;
  };
  // Not up yet is no failure.
  return untilFound("the proxy is ready", () => ask().catch(() => undefined), { everyMs: 50 });
}
