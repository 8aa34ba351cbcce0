import { ports, sidecarId } from "../ports.ts";
import type { CaptureExclusions } from "../run-options.ts";

export interface InterceptionPlan {
  readonly exclude?: CaptureExclusions;
  /** Where the control plane is reached; the mesh's own connections to it are never captured. */
  readonly controlPlanePort: number;
}

/** The one table Weft owns in a network namespace. */
export const tableName = "inet weft";

/** What the rules count of what the sidecar does not carry. */
export const counterNames = { passedBy: "passed_by", keptOut: "kept_out" } as const;

/**
 * The rules that bring a network namespace's traffic to the sidecar, as input
 * for `nft -f`: replaces an earlier version of the table in one transaction, so
 * traffic never meets half a rule set.
 *
 * The cases, in the order of the rules:
 * - Connections from outside straight to a capture port are dropped: they would
 *   reach the sidecar without an original destination, or loop.
 * - What else an application could serve (UDP with QUIC, SCTP, DCCP) is dropped
 *   when it comes from outside, as no policy would see it, and counted; answers
 *   to what left are not, nor what is excluded.
 * - Inbound TCP to this host goes to 15006, but for health and statistics.
 *   Forwarded traffic (a container host, a router) is left alone.
 * - DNS of the application goes to 15053, wherever its resolver is, loopback included.
 * - 127.0.0.6 is what the sidecar binds when it hands an inbound connection to
 *   the application: never captured again.
 * - The sidecar calling this workload's own address (a service that calls
 *   itself) enters at 15006 as a peer's call does, so that policy and mutual TLS hold.
 * - The application talking to itself over loopback stays direct.
 * - All other outbound TCP goes to 15001. Flows of other protocols leave as they are, counted.
 *
 * Only a connection's first packet decides: one that was open before the rules
 * (the sidecar's own to the control plane) must not be taken up in the middle.
 *
 * IPv6 is treated alike: an address family left out would be a way around policy.
 */
export function buildNftRules(plan: InterceptionPlan): string {
  const owner = (verdict: string, match = "") =>
    [`    meta skuid ${sidecarId} ${match}${verdict}`, `    meta skgid ${sidecarId} ${match}${verdict}`].join(
      "\n",
    );
  const excludedInbound = plan.exclude?.inboundPorts ?? [];
  const lines = [
    removeNftRules().trimEnd(),
    `table ${tableName} {`,
    `  counter ${counterNames.passedBy} {`,
    "  }",
    `  counter ${counterNames.keptOut} {`,
    "  }",
    "  chain guard {",
    "    type filter hook prerouting priority mangle; policy accept;",
    `    iifname != "lo" tcp flags & (fin | syn | rst | ack) == syn tcp dport ${set([ports.admin, ports.outbound, ports.inbound, ports.dns])} fib daddr type local drop`,
    ...(excludedInbound.length > 0 ? [`    th dport ${set(excludedInbound)} return`] : []),
    `    iifname != "lo" meta l4proto { udp, udplite, sctp, dccp } ct state new fib daddr type local counter name ${counterNames.keptOut} drop`,
    "  }",
    "  chain prerouting {",
    "    type nat hook prerouting priority dstnat; policy accept;",
    '    iifname "lo" return',
    onlyNew,
    "    fib daddr type != local return",
    `    tcp dport ${set([ports.mergedStats, ports.health, ports.stats, ...excludedInbound])} return`,
    `    meta l4proto tcp redirect to :${ports.inbound}`,
    "  }",
    "  chain output {",
    "    type nat hook output priority -100; policy accept;",
    `    meta skuid != ${sidecarId} meta skgid != ${sidecarId} udp dport 53 redirect to :${ports.dns}`,
    `    meta skuid != ${sidecarId} meta skgid != ${sidecarId} tcp dport 53 redirect to :${ports.dns}`,
    onlyNew,
    '    oifname "lo" ip saddr 127.0.0.6 return',
    '    oifname "lo" ip6 saddr ::6 return',
    owner("return", `tcp dport ${plan.controlPlanePort} `),
    owner(`redirect to :${ports.inbound}`, 'oifname "lo" ip daddr != 127.0.0.0/8 meta l4proto tcp '),
    owner(`redirect to :${ports.inbound}`, 'oifname "lo" ip6 daddr != ::1 meta l4proto tcp '),
    '    oifname "lo" return',
    owner("return"),
    "    ip daddr 127.0.0.0/8 return",
    "    ip6 daddr ::1 return",
    ...(plan.exclude?.outboundCidrs ?? []).map(
      (cidr) => `    ${cidr.includes(":") ? "ip6" : "ip"} daddr ${cidr} return`,
    ),
    ...((plan.exclude?.outboundPorts ?? []).length > 0
      ? [`    tcp dport ${set(plan.exclude!.outboundPorts!)} return`]
      : []),
    `    meta l4proto tcp redirect to :${ports.outbound}`,
    "  }",
    "  chain watch {",
    "    type filter hook output priority filter; policy accept;",
    `    oifname != "lo" meta skuid != ${sidecarId} meta skgid != ${sidecarId} meta l4proto != { tcp, icmp, ipv6-icmp } ct state new ct status & dnat == 0 counter name ${counterNames.passedBy}`,
    "  }",
    "}",
    "",
  ];
  return lines.join("\n");
}

/** Removes the table whether or not it is there: `nft` refuses to delete what does not exist. */
export function removeNftRules(): string {
  return `table ${tableName}\ndelete table ${tableName}\n`;
}

/** TCP is all there is to capture below this line. */
const onlyNew = "    tcp flags & (fin | syn | rst | ack) != syn return";

function set(numbers: readonly number[]): string {
  return `{ ${[...new Set(numbers)].sort((a, b) => a - b).join(", ")} }`;
}
