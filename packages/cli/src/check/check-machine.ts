import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { messageOf } from "@weft/base/errors";
import { CheckList, type CheckResult } from "./check-result.ts";

const neededNode = 24;
const netAdmin = 12;

/** Whether this machine can run workloads with interception, and a control plane. Changes nothing. */
export async function checkMachine(isControlPlaneHere: boolean): Promise<readonly CheckResult[]> {
  const list = new CheckList("this machine");
  checkRuntime(list);
  checkPrograms(list);
  checkPrivileges(list);
  checkSwap(list);
  await checkNativeCalls(list);
  if (!isControlPlaneHere) await checkPorts(list, [15010, 15012, 15014], "the control plane");
  await checkPorts(list, [15001, 15006, 15053, 15090], "a sidecar");
  return list.results;
}

function checkRuntime(list: CheckList): void {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= neededNode) list.ok("Node", process.version);
  else
    list.failure(
      "Node",
      `${process.version} is older than ${neededNode}`,
      `put Node ${neededNode} on the PATH`,
    );
}

function checkPrograms(list: CheckList): void {
  for (const [program, debian] of [
    ["nft", "nftables"],
    ["ip", "iproute2"],
  ] as const) {
    const path = findProgram(program);
    if (path) list.ok(program, path);
    else {
      list.warning(
        program,
        "not found: no transparent interception",
        `apt-get install ${debian}, or use --capture none`,
      );
    }
  }
}

function checkPrivileges(list: CheckList): void {
  if (process.platform !== "linux") {
    list.warning("privileges", `interception needs Linux, this is ${process.platform}`, "use --capture none");
  } else if (hasCapability(netAdmin)) {
    list.ok("privileges", process.getuid?.() === 0 ? "root" : "CAP_NET_ADMIN");
  } else {
    list.warning("privileges", "neither root nor CAP_NET_ADMIN", "run with sudo, or use --capture none");
  }
}

/** Keys are in memory, which the kernel may write there. */
function checkSwap(list: CheckList): void {
  const [, ...areas] = readSwaps().trim().split("\n");
  const onDisk = areas
    .map((line) => line.split(/\s+/)[0]!)
    .filter((area) => !/^\/dev\/(zram|dm-)/.test(area));
  if (onDisk.length === 0) return;
  list.warning(
    "swap",
    `keys in memory may be written to ${onDisk.join(", ")}`,
    "encrypt it, or start with MemorySwapMax=0 (systemd)",
  );
}

function readSwaps(): string {
  try {
    return readFileSync("/proc/swaps", "utf8");
  } catch {
    return "";
  }
}

/** The original destination of an intercepted connection is read through it. */
async function checkNativeCalls(list: CheckList): Promise<void> {
  try {
    await import("koffi");
    list.ok("native calls", "koffi loads");
  } catch (error) {
    list.warning(
      "native calls",
      `koffi does not load: ${messageOf(error)}`,
      "install weft again, or use --capture none",
    );
  }
}

async function checkPorts(list: CheckList, ports: readonly number[], owner: string): Promise<void> {
  const taken: number[] = [];
  for (const port of ports) if (!(await isFree(port))) taken.push(port);
  const title = `ports of ${owner}`;
  if (taken.length === 0) list.ok(title, `${ports.join(", ")} are free`);
  else {
    const next = `'ss -ltnp' shows by whom; a mesh that already runs here is no fault`;
    list.warning(title, `${taken.join(", ")} ${taken.length === 1 ? "is" : "are"} in use`, next);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "0.0.0.0", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].filter(Boolean);
  return directories
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function hasCapability(bit: number): boolean {
  try {
    const line = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"));
    return line !== null && ((BigInt(`0x${line[1]}`) >> BigInt(bit)) & 1n) === 1n;
  } catch {
    return process.getuid?.() === 0;
  }
}
