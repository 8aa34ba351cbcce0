import type { Principal } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { SourceSpec } from "../config/security-specs.ts";
import { parseCidr } from "../config/values.ts";
import { cidr } from "./messages.ts";
import { byRequestPrincipals } from "./rbac-claims.ts";
import { allOf, anyPrincipal, not, oneOf, principal } from "./rbac-principal.ts";
import { escapeRegex, regexMatch, type StringMatch, segmentPattern, wildcardMatch } from "./string-match.ts";

/** By the identity the peer's certificate proves; over plaintext nothing is proved and nothing matches. */
function authenticated(principalName: StringMatch): Principal {
  return principal({ case: "authenticated", value: { principalName } });
}

/** What policies call the mesh's own trust domain, whatever its name is. */
const ownTrustDomain = "cluster.local";

/**
 * `cluster.local/ns/x/sa/y`, with Istio's wildcards. `cluster.local` and every
 * name of the mesh's trust domain (`own`) stand for all of them.
 */
export function byPrincipal(value: string, own: readonly string[]): Principal {
  const slash = value.indexOf("/");
  const domain = value.slice(0, Math.max(slash, 0));
  const domains = domain === ownTrustDomain || own.includes(domain) ? own : [domain];
  const names = slash < 0 ? [value] : domains.map((one) => one + value.slice(slash));
  return oneOf(names.map((name) => authenticated(wildcardMatch(name, { prefix: "spiffe://" }))));
}

/** Of the mesh's own trust domain: namespaces of another mesh are none of ours, whatever their names. */
export function byNamespace(namespace: string, own: readonly string[]): Principal {
  return byPath(anyOf(own), `/ns/${segmentPattern(namespace)}/sa/[^/]+`);
}

/** `account`, of the policy's namespace, or `namespace/account`; of the mesh's own trust domain. */
export function byServiceAccount(value: string, policyNamespace: string, own: readonly string[]): Principal {
  const [namespace, account] = value.includes("/") ? value.split("/", 2) : [policyNamespace, value];
  return byPath(anyOf(own), `/ns/${segmentPattern(namespace!)}/sa/${segmentPattern(account!)}`);
}

/** With `*` for any part of it; `cluster.local` and every name of the mesh's stand for all of them. */
export function byTrustDomain(value: string, own: readonly string[]): Principal {
  const isOwn = value === ownTrustDomain || own.includes(value);
  return byPath(isOwn ? anyOf(own) : segmentPattern(value), "/ns/[^/]+/sa/[^/]+");
}

function byPath(domains: string, path: string): Principal {
  return authenticated(regexMatch(`spiffe://${domains}${path}`));
}

/** A pattern of these names, and no others. */
function anyOf(names: readonly string[]): string {
  const patterns = names.map(escapeRegex).join("|");
  return names.length === 1 ? patterns : `(?:${patterns})`;
}

/** The address of the connection's other end. */
export function byDirectAddress(block: string): Principal {
  return principal({ case: "directRemoteIp", value: range(block) });
}

/** The client's address as trusted proxies report it. */
export function byRemoteAddress(block: string): Principal {
  return principal({ case: "remoteIp", value: range(block) });
}

function range(block: string) {
  const { address, prefixLength } = parseCidr(block)!;
  return cidr(address, prefixLength);
}

/** All fields of a source must hold; within one field any value, within a `not` field none. */
export function sourcePrincipal(
  source: SourceSpec,
  policyNamespace: string,
  own: readonly string[],
): Principal {
  const account = (value: string) => byServiceAccount(value, policyNamespace, own);
  const fields: [
    yes: readonly string[] | undefined,
    no: readonly string[] | undefined,
    of: (v: string) => Principal,
  ][] = [
    [source.principals, source.notPrincipals, (value) => byPrincipal(value, own)],
    [source.namespaces, source.notNamespaces, (value) => byNamespace(value, own)],
    [source.serviceAccounts, source.notServiceAccounts, account],
    [source.trustDomains, source.notTrustDomains, (value) => byTrustDomain(value, own)],
    [source.ipBlocks, source.notIpBlocks, byDirectAddress],
    [source.remoteIpBlocks, source.notRemoteIpBlocks, byRemoteAddress],
  ];
  const ids: Principal[] = [];
  for (const [yes, no, of] of fields) {
    if (yes?.length) ids.push(oneOf(yes.map(of)));
    if (no?.length) ids.push(not(oneOf(no.map(of))));
  }
  if (source.requestPrincipals?.length) ids.push(byRequestPrincipals(source.requestPrincipals));
  if (source.notRequestPrincipals?.length) ids.push(not(byRequestPrincipals(source.notRequestPrincipals)));
  return ids.length > 0 ? allOf(ids) : anyPrincipal();
}
