import type { ServiceEdge } from "@weft/control/dashboard/view";
import { formatMs, formatRate, formatShare } from "../words/format.ts";

/** How an edge is drawn: by colour, by dashes and by words, so that none of them is needed alone. */
export interface EdgeLook {
  readonly kind: "good" | "warn" | "bad" | "denied" | "tcp";
  readonly isPlaintext: boolean;
  readonly width: number;
  readonly label: string;
  /** What is wrong with it; "" when nothing is. */
  readonly trouble: string;
}

export function edgeLook(edge: ServiceEdge): EdgeLook {
  const { requestsPerSecond: rps, successRate = 1, deniedPerSecond = 0, securedRate, p99Ms } = edge;
  const isPlaintext = securedRate !== undefined && securedRate < 0.999;
  if (rps === undefined) {
    const { tcpConnections: open } = edge;
    return { kind: "tcp", isPlaintext, width: 1.6, label: `TCP, ${open} open`, trouble: "" };
  }
  const words = [`${formatRate(rps)}/s`];
  if (p99Ms !== undefined) words.push(formatMs(p99Ms));
  const failing = 1 - successRate;
  const troubles: string[] = [];
  if (failing > 0.0005) troubles.push(`${formatShare(failing)} fail`);
  if (deniedPerSecond > 0) troubles.push(`${formatRate(deniedPerSecond)}/s refused`);
  const kind =
    failing > 0.05 ? "bad" : deniedPerSecond > rps * 0.05 ? "denied" : failing > 0.005 ? "warn" : "good";
  // In steps, so that an edge does not look different with every call.
  const width = 1.4 + Math.round(Math.min(4, Math.log10(rps + 1) * 1.3) * 2) / 2;
  return { kind, isPlaintext, width, label: words.join(" · "), trouble: troubles.join(", ") };
}

/** `reviews` of `default/reviews`; a host, or `unknown`, outside the mesh. */
export function placeName(id: string): string {
  return id.slice(id.indexOf("/") + 1);
}

export function namespaceOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}
