import { lookup, resolve4, resolve6 } from "node:dns/promises";

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
  /** How long DNS says the answer holds, where that was asked for and known. */
  readonly ttlSeconds?: number | undefined;
}

/** Addresses of a name, or a rejection. */
export type ResolveHost = (hostname: string, wantsTtl: boolean) => Promise<readonly ResolvedAddress[]>;

/**
 * As the system resolves it, `/etc/hosts` included. The system does not say how
 * long an answer holds: where that is wanted, the name servers are asked too.
 */
export const resolveWithSystem: ResolveHost = async (hostname, wantsTtl) => {
  const found = await lookup(hostname, { all: true });
  if (!wantsTtl) return found;
  const records = await Promise.all(
    [resolve4(hostname, { ttl: true }), resolve6(hostname, { ttl: true })].map((asked) =>
      asked.catch(() => []),
    ),
  );
  const ttls = new Map(records.flat().map(({ address, ttl }) => [address, ttl]));
  return found.map((entry) => ({ ...entry, ttlSeconds: ttls.get(entry.address) }));
};
