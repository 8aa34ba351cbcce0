import { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import { PeerCertificate } from "./peer-certificate.ts";

interface Candidate<C> {
  readonly material: C;
  readonly dnsNames: readonly string[];
  readonly keyType: string;
}

/**
 * Which of several certificates a client is shown: one for the very name it asks
 * for, else one for a wildcard of it, else the first. Among those for a name the
 * first of each key type counts, and the client's abilities decide between types.
 *
 * @throws with OpenSSL's reason when one of them cannot be used
 */
export function selectByServerName<C extends { readonly chain: Buffer }>(
  certificates: readonly C[],
  create: (chosen: readonly C[]) => SecureContext,
): { readonly current: SecureContext; readonly select: (serverName: string) => SecureContext } {
  const candidates = certificates.map((material): Candidate<C> => {
    const certificate = new X509Certificate(material.chain);
    const { dnsNames, subject } = new PeerCertificate(certificate);
    const commonName = /(?:^|,)CN=((?:\\.|[^,])*)/.exec(subject)?.[1];
    return {
      material,
      // RFC 6125 §6.4.4: the common name counts only where there are no names.
      dnsNames: dnsNames.length > 0 || commonName === undefined ? dnsNames : [commonName],
      keyType: certificate.publicKey.asymmetricKeyType ?? "",
    };
  });
  const contexts = new Map<string, SecureContext>();
  const contextOf = (among: readonly Candidate<C>[]): SecureContext => {
    const chosen = among.filter(
      ({ keyType }, i) => among.findIndex((other) => other.keyType === keyType) === i,
    );
    const key = chosen.map((candidate) => candidates.indexOf(candidate)).join(",");
    let context = contexts.get(key);
    if (!context) {
      context = create(chosen.map(({ material }) => material));
      contexts.set(key, context);
    }
    return context;
  };
  const contextFor = (accepts: (name: string) => boolean): SecureContext | undefined => {
    const among = candidates.filter(({ dnsNames }) => dnsNames.some(accepts));
    return among.length === 0 ? undefined : contextOf(among);
  };
  const first = candidates[0]!;
  const current = contextOf(
    candidates.filter(
      (other) => other === first || first.dnsNames.some((name) => other.dnsNames.includes(name)),
    ),
  );
  // Every name's context is made now, so that a certificate that cannot be used is noticed here.
  const byName = new Map<string, SecureContext>();
  for (const { dnsNames } of candidates) {
    for (const name of dnsNames) {
      const lower = name.toLowerCase();
      byName.set(lower, contextFor((other) => other.toLowerCase() === lower)!);
    }
  }
  return {
    current,
    select(serverName) {
      const lower = serverName.toLowerCase();
      const exact = byName.get(lower);
      if (exact) return exact;
      const dot = lower.indexOf(".");
      return (dot > 0 ? byName.get(`*${lower.slice(dot)}`) : undefined) ?? current;
    },
  };
}
