import { getCACertificates } from "node:tls";
import { AddressGuard } from "../egress/address-guard.ts";
import { fetchDocument } from "./fetch-document.ts";
import type { KeySetCacheOptions } from "./key-set-cache.ts";

export interface JwksOptions {
  /** Addresses and ranges beside the public ones, also over plain HTTP. */
  readonly allowed?: readonly string[];
  /** Roots that Node does not trust of itself, PEM. */
  readonly caPem?: string;
}

/** How keys of token issuers are fetched; by default from public addresses, over TLS. */
export function keyFetch({ allowed, caPem }: JwksOptions): KeySetCacheOptions["fetch"] {
  const guard = new AddressGuard(allowed);
  const ca = caPem === undefined ? undefined : [...getCACertificates("default"), caPem];
  return (url, timeoutMs, signal) => fetchDocument(url, { guard, timeoutMs, ca, signal });
}
