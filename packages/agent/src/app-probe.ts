import { connect } from "node:net";
import type { PlannedPort, WorkloadPlan } from "./workload-plan.ts";

const timeoutMs = 1_000;

/**
 * Whether the application accepts TCP connections on all its ports, tried
 * where its sidecar, or its peers without one, will connect.
 */
export async function acceptsConnections(plan: WorkloadPlan): Promise<boolean> {
  const answers = await Promise.all(plan.ports.map((port) => connects(appAddress(plan, port), port.port)));
  return answers.every((answer) => answer);
}

/**
 * Where the application listens. Without a sidecar where its peers connect; else as the sidecar's inbound clusters have it:
 * loopback; but a workload whose sidecar takes another port of its address
 * has that address to itself, and others on this machine have the same port on theirs.
 */
export function appAddress(plan: WorkloadPlan, { port, listenPort }: PlannedPort): string {
  const { capture, address, hasSidecar } = plan;
  if (!hasSidecar) return address;
  return capture === "none" && listenPort !== port ? address : "127.0.0.1";
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on("error", () => finish(false));
    socket.on("connect", () => finish(true));
  });
}
