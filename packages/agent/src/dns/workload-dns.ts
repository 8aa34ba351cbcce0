import { readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { ports } from "../ports.ts";
import { type DnsServer, type DnsServerOptions, startDnsServer } from "./dns-server.ts";
import { createForwarder } from "./forwarder.ts";
import { type MeshName, MeshNames } from "./mesh-names.ts";
import { parseResolvConf, type ResolvConf } from "./resolv-conf.ts";

/** The DNS of one workload: mesh names as last told, everything else by the host's resolvers. */
export interface WorkloadDns {
  setNames(names: readonly MeshName[]): void;
  close(): Promise<void>;
}

const resolvConfPath = "/etc/resolv.conf";
/** How old the parsed resolv.conf may be: a machine that changes networks changes it. */
const rereadMs = 5_000;

/**
 * @param addresses the workload's own: mesh names have addresses of its families alone, so that a client
 *   that takes the first does not take one that it has no way to
 * @throws UserError when another agent has the port, as only one fits in a network namespace
 */
export async function startWorkloadDns(
  ownNamespace: string,
  addresses: readonly string[],
  clock: Clock,
): Promise<WorkloadDns> {
  const resolvConf = cachedResolvConf(clock);
  let names = new MeshNames([], ownNamespace, []);
  const server = await listen({
    names: () => names,
    isCallable: (type) => addresses.some(type === "AAAA" ? isIPv6 : isIPv4),
    forwarder: createForwarder({ clock, nameservers: () => resolvConf().nameservers }),
  });
  return {
    setNames(told) {
      names = new MeshNames(told, ownNamespace, resolvConf().searchDomains);
    },
    close: () => server.close(),
  };
}

async function listen(
  answering: Pick<DnsServerOptions, "names" | "isCallable" | "forwarder">,
): Promise<DnsServer> {
  try {
    return await startDnsServer({ addresses: ["127.0.0.1", "::1"], port: ports.dns, ...answering });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EADDRINUSE") throw thrown;
    throw new UserError(
      `port ${ports.dns} on loopback is taken: another workload runs in this network namespace`,
      {
        hint: "give each workload a network namespace (ip netns exec NAME weft run …), or use --capture none",
        cause: thrown,
      },
    );
  }
}

function cachedResolvConf(clock: Clock): () => ResolvConf {
  let parsed: ResolvConf | undefined;
  let readMs = 0;
  return () => {
    if (!parsed || clock.monotonicMs() - readMs >= rereadMs) {
      readMs = clock.monotonicMs();
      try {
        parsed = parseResolvConf(readFileSync(resolvConfPath, "utf8"));
      } catch {
        parsed ??= parseResolvConf("");
      }
    }
    return parsed;
  };
}
