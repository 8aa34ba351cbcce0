import { once } from "node:events";
import { createServer } from "node:net";
import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { everyAddress } from "../interception/has-ipv6.ts";
import { ports } from "../ports.ts";
import type { WorkloadPlan } from "../workload-plan.ts";

/** An address the sidecar is to listen on, in the words of the flag that decides it. */
interface WantedAddress {
  readonly host: string;
  readonly port: number;
  readonly flag: string;
  readonly hint: string;
}

/** The sidecar of an agent that was killed is ended with it, but not in the same instant. */
const tries = 4;
const pauseMs = 200;

/**
 * Refuses a start whose sidecar could not listen, before a join token is used
 * up for it: a second workload at one address, or a port that something else has.
 *
 * @throws UserError that names the flag
 */
export async function refuseTakenAddresses(plan: WorkloadPlan, clock: Clock): Promise<void> {
  for (const { host, port, flag, hint } of wantedAddresses(plan)) {
    for (let left = tries; ; left -= 1) {
      const problem = await problemOf(host, port);
      if (problem === undefined) break;
      if (left > 1) {
        await clock.sleepMs(pauseMs);
        continue;
      }
      throw new UserError(`${flag}: the sidecar cannot listen on ${host}:${port}: ${reasonOf(problem)}`, {
        hint,
        cause: problem,
      });
    }
  }
}

function wantedAddresses(plan: WorkloadPlan): readonly WantedAddress[] {
  if (plan.capture === "nft") {
    const flag = "--capture nft";
    const hint =
      "end what uses it (`ss -ltnp` shows it), or run the workload in a network namespace of its own";
    const outside = [ports.outbound, ports.inbound, ports.stats, ports.health];
    return [
      { host: "127.0.0.1", port: ports.admin, flag, hint },
      ...outside.flatMap((port) => everyAddress().map((host) => ({ host, port, flag, hint }))),
    ];
  }
  const ownHint = "give every workload of this machine an address of its own with --address";
  return [
    ...plan.addresses.flatMap((host, i) => [
      ...[...(i === 0 && host.startsWith("127.") ? [ports.admin] : []), ports.stats, ports.health].map(
        (port) => ({ host, port, flag: `--address ${host}`, hint: ownHint }),
      ),
      ...plan.ports.map(({ port, listenPort }) => ({
        host,
        port: listenPort,
        flag: port === listenPort ? `--port ${port}` : `--inbound-port ${port}=${listenPort}`,
        hint: `choose another port with --inbound-port ${port}=PORT, or another --address`,
      })),
    ]),
    ...plan.upstreams.map(({ host: service, port, bindAddress, bindPort }) => ({
      host: bindAddress,
      port: bindPort,
      flag: `--upstream ${service}:${port}=${bindAddress}:${bindPort}`,
      hint: "choose another port behind the =",
    })),
  ];
}

async function problemOf(host: string, port: number): Promise<unknown> {
  const server = createServer().listen({ host, port, exclusive: true, ipv6Only: true });
  try {
    await once(server, "listening");
  } catch (error) {
    return error;
  }
  server.close();
  await once(server, "close");
  return undefined;
}
