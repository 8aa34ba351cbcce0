import {
  type CertificateValidationContext,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
} from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
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
  if (matchers.length === 0) return undefined;
  return (peer) => matchers.some((matches) => matches(peer));
}

function decodeSan(matcher: SubjectAltNameMatcher, path: string, issues: Issues): SanMatcher {
  const spec = stringMatcherSpec(matcher.matcher, at(path, "matcher"), issues);
  const names = namesOf(matcher.sanType);
  if (!names) {
    issues.add(
      at(path, "san_type"),
      `${SanType[matcher.sanType]} is not implemented by this proxy`,
      "use URI or DNS",
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
    return (peer) => peer.dnsNames.some((name) => matches(name) || coversByWildcard(name, spec.text));
  }
  return (peer) => names(peer).some(matches);
}

function namesOf(type: SanType): ((peer: PeerIdentity) => readonly string[]) | undefined {
  if (type === SanType.URI) return (peer) => peer.uris;
  if (type === SanType.DNS) return (peer) => peer.dnsNames;
  return undefined;
}

/** A certificate for `*.example.com` covers `a.example.com`, one label only (RFC 6125 §6.4.3). */
function coversByWildcard(name: string, host: string): boolean {
  if (!name.startsWith("*.")) return false;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot).toLowerCase() === name.slice(1).toLowerCase();
}
