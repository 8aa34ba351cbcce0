import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import { coversHost } from "../net/peer-certificate.ts";
import type { PeerIdentity, SanMatcher } from "../net/tls-plan.ts";
import { compileStringMatcher } from "../route/string-matcher.ts";
import { compiled, stringMatcherSpec } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** The names a peer's certificate must have one of; undefined asks for none. */
export function decodeSans(
  validation: CertificateValidationContext,
  path: string,
  issues: Issues,
): SanMatcher | undefined {
  const matchers: SanMatcher[] = validation.matchTypedSubjectAltNames.map((matcher, i) =>
    decodeSan(matcher, `${at(path, "match_typed_subject_alt_names")}[${i}]`, issues),
  );
  validation.matchSubjectAltNames.forEach((matcher, i) => {
    const place = `${at(path, "match_subject_alt_names")}[${i}]`;
    const spec = stringMatcherSpec(matcher, place, issues);
    if (!spec) return;
    const matches = compiled(
      () => compileStringMatcher(spec),
      () => false,
      place,
      issues,
    );
    matchers.push((peer) => peer.uris.some(matches) || peer.dnsNames.some(matches));
  });
  const pinned = decodePins(validation, path, issues);
  const named: SanMatcher | undefined =
    matchers.length === 0 ? undefined : (peer) => matchers.some((matches) => matches(peer));
  if (!pinned || !named) return pinned ?? named;
  return (peer) => pinned(peer) && named(peer);
}

/** Either list may recognise the certificate: by the hash of all of it, or of its key. */
function decodePins(
  validation: CertificateValidationContext,
  path: string,
  issues: Issues,
): SanMatcher | undefined {
  const hashes = new Set(
    validation.verifyCertificateHash.map((hash) => hash.replaceAll(":", "").toLowerCase()),
  );
  const keys = new Set(validation.verifyCertificateSpki);
  if (hashes.size + keys.size === 0) return undefined;
  validation.verifyCertificateHash.forEach((hash, i) => {
    if (!/^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i.test(hash)) {
      issues.add(`${at(path, "verify_certificate_hash")}[${i}]`, "is not a SHA-256 in hex");
    }
  });
  validation.verifyCertificateSpki.forEach((key, i) => {
    if (!/^[0-9A-Za-z+/]{43}=$/.test(key)) {
      issues.add(`${at(path, "verify_certificate_spki")}[${i}]`, "is not a SHA-256 in base64");
    }
  });
  return (peer) => hashes.has(peer.fingerprint) || (keys.size > 0 && keys.has(peer.spki ?? ""));
}

function decodeSan(matcher: SubjectAltNameMatcher, path: string, issues: Issues): SanMatcher {
  const spec = stringMatcherSpec(matcher.matcher, at(path, "matcher"), issues);
  const names = namesOf(matcher.sanType);
  if (!names) {
    issues.add(
      at(path, "san_type"),
      `${SanType[matcher.sanType]} is not implemented by this proxy`,
      "use URI, DNS, IP_ADDRESS or EMAIL",
    );
  }
  if (!spec || !names) return () => false;
  const matches = compiled(
    () => compileStringMatcher(spec),
    () => false,
    path,
    issues,
  );
  if (matcher.sanType === SanType.DNS && spec.kind === "exact") {
    return (peer) => peer.dnsNames.some((name) => matches(name) || coversHost(name, spec.text));
  }
  return (peer) => names(peer).some(matches);
}

function namesOf(type: SanType): ((peer: PeerIdentity) => readonly string[]) | undefined {
  if (type === SanType.URI) return (peer) => peer.uris;
  if (type === SanType.DNS) return (peer) => peer.dnsNames;
  if (type === SanType.IP_ADDRESS) return (peer) => peer.ipAddresses ?? [];
  if (type === SanType.EMAIL) return (peer) => peer.emails ?? [];
  return undefined;
}
