import type { X509Certificate } from "node:crypto";
import { maySignOthers } from "./may-sign-others.ts";
import type { PeerIdentity } from "./tls-plan.ts";

/**
 * Why a verified certificate with a SPIFFE ID is no SVID of a workload: one with
 * a second URI name leaves whom it speaks for to its reader, and one that may
 * sign others is an authority's. Undefined for one that is, and for one without
 * a SPIFFE ID, which claims no workload, unless an ID of one of these trust
 * domains is asked for.
 *
 * @see X.509-SVID §2, §4.1, §4.3, §5.2
 */
export function svidFault(
  certificate: X509Certificate,
  { uris }: PeerIdentity,
  domains?: ReadonlySet<string>,
): string | undefined {
  if (domains && !domains.has(trustDomainOf(uris[0]) ?? "")) {
    return `not a SPIFFE ID of a trust domain that is known here: ${uris.join(", ") || "none"}`;
  }
  if (!uris.some((uri) => /^spiffe:/i.test(uri))) return undefined;
  if (uris.length > 1) return `more than one URI name beside a SPIFFE ID: ${uris.join(", ")}`;
  if (maySignOthers(certificate.raw)) {
    return `a certificate that may sign others speaks for no workload: ${uris[0]}`;
  }
  return undefined;
}

function trustDomainOf(uri: string | undefined): string | undefined {
  return /^spiffe:\/\/([^/]*)\/./.exec(uri ?? "")?.[1];
}
