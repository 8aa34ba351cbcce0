import type { Principal } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { SourceSpec } from "../config/specs.ts";
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
const ownTrustDomain = "cluster.local/";

/** `cluster.local/ns/x/sa/y`, with Istio's wildcards; `cluster.local` stands for the mesh's trust domain. */
export function byPrincipal(value: string, trustDomain: string): Principal {
  const full = value.startsWith(ownTrustDomain)
    ? `${trustDomain}/${value.slice(ownTrustDomain.length)}`
    : value;
  return authenticated(wildcardMatch(full, { prefix: "spiffe://" }));
}

export function byNamespace(namespace: string): Principal {
  return authenticated(regexMatch(`spiffe://[^/]+/ns/${segmentPattern(namespace)}/sa/[^/]+`));
}

/** `account`, of the policy's namespace, or `namespace/account`. */
export function byServiceAccount(value: string, policyNamespace: string): Principal {
  const [namespace, account] = value.includes("/") ? value.split("/", 2) : [policyNamespace, value];
  const pattern = `spiffe://[^/]+/ns/${segmentPattern(namespace!)}/sa/${segmentPattern(account!)}`;
  return authenticated(regexMatch(pattern));
}

/** With `*` for any part of it; `cluster.local` stands for the mesh's trust domain. */
export function byTrustDomain(value: string, own: string): Principal {
  const pattern = value === ownTrustDomain.slice(0, -1) ? escapeRegex(own) : segmentPattern(value);
  return authenticated(regexMatch(`spiffe://${pattern}/ns/[^/]+/sa/[^/]+`));
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
export function sourcePrincipal(source: SourceSpec, policyNamespace: string, trustDomain: string): Principal {
  const account = (value: string) => byServiceAccount(value, policyNamespace);
  const fields: [
    yes: readonly string[] | undefined,
    no: readonly string[] | undefined,
    of: (v: string) => Principal,
  ][] = [
    [source.principals, source.notPrincipals, (value) => byPrincipal(value, trustDomain)],
    [source.namespaces, source.notNamespaces, byNamespace],
    [source.serviceAccounts, source.notServiceAccounts, account],
    [source.trustDomains, source.notTrustDomains, (value) => byTrustDomain(value, trustDomain)],
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
