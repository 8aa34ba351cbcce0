import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import type { DemoMesh } from "../mesh.ts";
import { servicePort, workloadName, workloads } from "../topology.ts";
import { type Outcome, outcome } from "./outcome.ts";

/** Speaks plain HTTP from outside the mesh to every application port: each must end without an answer. */
export async function verifyPlainRefused(mesh: DemoMesh): Promise<Outcome> {
  const answered: string[] = [];
  const reached: string[] = [];
  let refused = 0;
  for (const workload of workloads.filter((candidate) => candidate.port !== undefined)) {
    const name = workloadName(workload);
    const path = `/plain-${randomUUID()}`;
    const bytes = await sendPlain(mesh.addressOf(workload), servicePort, path);
    if (bytes > 0) answered.push(name);
    else refused += 1;
    if (readFileSync(mesh.processes.logFile(name), "utf8").includes(path)) reached.push(name);
  }
  const seen =
    answered.length + reached.length > 0
      ? `answered: ${answered.join(", ") || "none"}; reached the application: ${reached.join(", ") || "none"}`
      : `${refused} ports closed the connection, 0 bytes back, 0 requests in the applications' logs`;
  return outcome("plain connections from outside are refused", answered.length + reached.length === 0, seen);
}

/** Bytes that came back before the connection ended; a peer that neither answers nor closes counts as answering. */
function sendPlain(host: string, port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0;
    const socket = net.connect({ host, port, timeout: 20_000 });
    socket.on("connect", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: outside\r\n\r\n`));
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.on("timeout", () => {
      bytes += 1;
      socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(bytes));
  });
}
