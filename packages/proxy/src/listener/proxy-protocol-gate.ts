import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import { noteMetadata } from "../layer/dynamic-metadata.ts";
import type { ProxyHeader, ProxyHeaderResult, ProxyTlv } from "../net/proxy-protocol.ts";
import type { ProxyProtocolPlan } from "./listener-plan.ts";

export type ProxyProtocolVerdict =
  | { readonly kind: "refuse"; readonly reason: string }
  /** `header` is undefined where the connection comes without one; its TLVs are those to be sent on. */
  | {
      readonly kind: "pass";
      readonly header: ProxyHeader | undefined;
      /** What the rules made of its TLVs; undefined where none applied. */
      readonly metadata: DynamicMetadata | undefined;
      readonly consumed: number;
    };

/**
 * Decides on what a connection began with, by a listener's `proxy_protocol`
 * filter, and counts it under Envoy's names.
 *
 * @see envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
 */
export class ProxyProtocolGate {
  readonly #plan: ProxyProtocolPlan;

  constructor(plan: ProxyProtocolPlan) {
    this.#plan = plan;
  }

  judge(result: Exclude<ProxyHeaderResult, { kind: "incomplete" }>): ProxyProtocolVerdict {
    const { stats, allowsWithout, disallowedVersions, keepsTlv } = this.#plan;
    switch (result.kind) {
      case "absent":
        if (!allowsWithout) {
          stats.notFoundDisallowed.value += 1;
          return { kind: "refuse", reason: "it does not begin with a PROXY header" };
        }
        stats.notFoundAllowed.value += 1;
        return { kind: "pass", header: undefined, metadata: undefined, consumed: 0 };
      case "invalid":
        stats.versions[result.version].error.value += 1;
        return { kind: "refuse", reason: `its PROXY header is malformed: ${result.reason}` };
      case "header": {
        const { header, length } = result;
        const counts = stats.versions[header.version];
        if (!disallowedVersions.has(header.version)) {
          counts.found.value += 1;
          const tlvs = header.tlvs.filter(({ type }) => keepsTlv(type));
          const metadata = this.#metadataOf(header.tlvs);
          return { kind: "pass", header: { ...header, tlvs }, metadata, consumed: length };
        }
        counts.disallowed.value += 1;
        if (!allowsWithout)
          return { kind: "refuse", reason: `PROXY version ${header.version} is disallowed` };
        // As Envoy does: what may not be a header is the client's own words.
        return { kind: "pass", header: undefined, metadata: undefined, consumed: 0 };
      }
    }
  }

  #metadataOf(tlvs: readonly ProxyTlv[]): DynamicMetadata | undefined {
    const { rules } = this.#plan;
    if (rules.length === 0) return undefined;
    const noted: { dynamicMetadata: DynamicMetadata | undefined } = { dynamicMetadata: undefined };
    for (const { type, value } of tlvs) {
      const rule = rules.find((candidate) => candidate.type === type);
      if (rule) noteMetadata(noted, rule.namespace, new Map([[rule.key, value.toString("utf8")]]));
    }
    return noted.dynamicMetadata;
  }
}
