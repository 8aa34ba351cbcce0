import { getCACertificates } from "node:tls";
import { messageOf } from "@weft/base/errors";
import { parseSpiffeBundle, type SpiffeBundle } from "@weft/identity/spiffe-bundle";
import { trustDomainOf } from "@weft/identity/spiffe-id";
import { formatTrustBundle, type TrustBundle } from "@weft/identity/trust-bundle";
import { verifySvid } from "@weft/identity/verify-svid";
import type { AddressGuard } from "../egress/address-guard.ts";
import type { TlsPeer } from "../egress/guarded-request.ts";
import { fetchDocument } from "../jwks/fetch-document.ts";
import type { FederationSource } from "../model/federation-source.ts";

export interface BundleFetchOptions {
  readonly guard: AddressGuard;
  /** Roots for `https_web`, PEM, beside the system's. */
  readonly caPem: string | undefined;
  readonly timeoutMs: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** What endpoints of a trust domain are recognised by; undefined where nothing is known of it. */
  readonly bundleOf: (trustDomain: string) => TrustBundle | undefined;
}

/**
 * Fetches the bundle of a trust domain from its endpoint, over TLS always: one
 * known by its SPIFFE ID must prove it, also where it redirects to; any other
 * must have a certificate for its host name.
 *
 * @throws Error that says why not, in words for an operator
 * @see SPIFFE Federation §5.2
 */
export async function fetchBundle(
  { trustDomain, endpoint }: FederationSource & Required<Pick<FederationSource, "endpoint">>,
  options: BundleFetchOptions,
): Promise<SpiffeBundle> {
  const { guard, timeoutMs, signal, caPem } = options;
  const web: TlsPeer = caPem === undefined ? {} : { ca: [...getCACertificates("default"), caPem] };
  const peer = endpoint.spiffeId === undefined ? web : spiffePeer(endpoint.spiffeId, options);
  const text = await fetchDocument(endpoint.url, {
    guard,
    timeoutMs,
    signal,
    ...peer,
    isTlsRequired: true,
    allowFlag: "--federation-allow",
  });
  try {
    return parseSpiffeBundle(trustDomain, text);
  } catch (error) {
    throw new Error(`the document is no bundle: ${messageOf(error)}`, { cause: error });
  }
}

function spiffePeer(
  expected: NonNullable<NonNullable<FederationSource["endpoint"]>["spiffeId"]>,
  { bundleOf, nowMs }: BundleFetchOptions,
): TlsPeer {
  const bundle = bundleOf(trustDomainOf(expected));
  if (!bundle) throw new Error(`no root of ${trustDomainOf(expected)} is known to recognise ${expected} by`);
  return {
    ca: [formatTrustBundle(bundle)],
    identify(chain) {
      try {
        const id = verifySvid(chain, bundle, nowMs);
        return id === expected ? undefined : `${id} answered where ${expected} was expected`;
      } catch (error) {
        return messageOf(error);
      }
    },
  };
}
