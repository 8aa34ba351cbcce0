import { connect } from "node:net";
import type { WorkloadPlan } from "./workload-plan.ts";

const timeoutMs = 1_000;
/** What the sidecar's own inbound connections come from: never captured, so the probe reaches the application itself. */
const uncapturedAddress = "127.0.0.6";

/**
 * Whether the application accepts TCP connections on all its ports, tried from
 * inside: on loopback, and where it may listen on the workload's address only, there.
 */
export async function acceptsConnections(plan: WorkloadPlan): Promise<boolean> {
  const answers = await Promise.all(plan.ports.map((port) => probePort(plan, port.port, port.listenPort)));
  return answers.every((answer) => answer);
}

async function probePort(plan: WorkloadPlan, port: number, listenPort: number): Promise<boolean> {
  if (await connects("127.0.0.1", port)) return true;
  if (plan.address === "127.0.0.1") return false;
  if (plan.capture === "nft") return connects(plan.address, port, uncapturedAddress);
  // Without interception the sidecar itself may listen there, and would say yes for the application.
  return port !== listenPort && connects(plan.address, port);
}

function connects(host: string, port: number, localAddress?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress: host.includes(":") ? undefined : localAddress });
    const finish = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on("error", () => finish(false));
    socket.on("connect", () => finish(true));
  });
}
