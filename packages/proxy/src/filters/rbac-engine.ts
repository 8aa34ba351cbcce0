import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import type { DynamicMetadata, Exchange, MetadataValue } from "../layer/exchange.ts";
import type { RequestHead } from "../layer/message.ts";
import { compileRange } from "./address-range.ts";
import type {
  MetadataTest,
  RbacPermission,
  RbacPlan,
  RbacPrincipal,
  RbacRules,
  StringTest,
} from "./rbac-plan.ts";

/** The filter, and where in the dynamic metadata its verdicts are noted. */
export const rbacHttpFilterName = "envoy.filters.http.rbac";

/** What a set of rules said: the policy that decided, or undefined when none matched. */
export interface RbacVerdict {
  readonly isAllowed: boolean;
  readonly policy: string | undefined;
  /** The configuration the deciding policy came from. */
  readonly origin: string | undefined;
  /** Envoy's response code details for a denial by this verdict. */
  readonly details: string;
  /** What the verdict leaves in the dynamic metadata of an exchange; shared by all. */
  readonly notes: DynamicMetadata;
}

/** Compiled rules: one call per request, no allocation. */
export type RbacDecision = (connection: DownstreamConnection, exchange: Exchange | undefined) => RbacVerdict;

/** Why one policy did or did not match. */
export interface PolicyJudgement {
  readonly policy: string;
  readonly origin: string | undefined;
  /** Whether any of its permissions covers what is asked. */
  readonly permits: boolean;
  /** Whether any of its principals is the caller. */
  readonly applies: boolean;
}

export interface RbacEngine {
  /** `deny`, `allow` or `log`; undefined enforces nothing. */
  readonly action: RbacRules["action"] | undefined;
  /** Every enforced policy, judged alone, in the order they are asked in. For explanations: it costs more than a verdict. */
  judge(connection: DownstreamConnection, exchange: Exchange | undefined): readonly PolicyJudgement[];
  readonly enforced: RbacDecision | undefined;
  readonly shadow: RbacDecision | undefined;
  readonly logs: boolean;
  readonly countsPolicies: boolean;
}

type Test = (connection: DownstreamConnection, exchange: Exchange | undefined) => boolean;

/** Compiles the Boolean structure of a plan into functions. */
export function compileRbac(plan: RbacPlan): RbacEngine {
  const enforced = plan.rules && compileRules(plan.rules, "enforced");
  return {
    action: plan.rules?.action,
    judge: (connection, exchange) => enforced?.judge(connection, exchange) ?? [],
    enforced: enforced?.decide,
    shadow: plan.shadowRules && compileRules(plan.shadowRules, `${plan.shadowRulesStatPrefix}shadow`).decide,
    logs: plan.rules?.action === "log",
    countsPolicies: plan.countsPolicies ?? false,
  };
}

function compileRules(
  rules: RbacRules,
  kind: string,
): { readonly decide: RbacDecision; readonly judge: RbacEngine["judge"] } {
  const allowsOnMatch = rules.action !== "deny";
  const allowsOtherwise = rules.action !== "allow";
  const policies = [...rules.policies]
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map((policy) => ({
      permits: anyOf(policy.permissions.map(compilePermission)),
      applies: anyOf(policy.principals.map(compilePrincipal)),
      verdict: verdict(kind, allowsOnMatch, policy.name, policy.origin),
    }));
  const otherwise = verdict(kind, allowsOtherwise, undefined, undefined);
  return {
    decide(connection, exchange) {
      for (const policy of policies) {
        if (policy.permits(connection, exchange) && policy.applies(connection, exchange))
          return policy.verdict;
      }
      return otherwise;
    },
    judge: (connection, exchange) =>
      policies.map(({ permits, applies, verdict }) => ({
        policy: verdict.policy!,
        origin: verdict.origin,
        permits: permits(connection, exchange),
        applies: applies(connection, exchange),
      })),
  };
}

function verdict(
  kind: string,
  isAllowed: boolean,
  policy: string | undefined,
  origin: string | undefined,
): RbacVerdict {
  const name = (policy ?? "none").replace(/\s/g, "_");
  const metadata = new Map<string, MetadataValue>();
  if (policy !== undefined) metadata.set(`${kind}_effective_policy_id`, policy);
  metadata.set(`${kind}_engine_result`, isAllowed ? "allowed" : "denied");
  if (origin !== undefined) metadata.set(`${kind}_policy_origin`, origin);
  const notes = new Map([[rbacHttpFilterName, metadata]]);
  return { isAllowed, policy, origin, notes, details: `rbac_access_denied_matched_policy[${name}]` };
}

function compilePermission(permission: RbacPermission): Test {
  switch (permission.kind) {
    case "any":
      return always;
    case "and":
      return allOf(permission.rules.map(compilePermission));
    case "or":
      return anyOf(permission.rules.map(compilePermission));
    case "not":
      return not(compilePermission(permission.rule));
    case "header":
      return requestTest(permission.matches);
    case "url-path":
      return pathTest(permission.matches);
    case "metadata":
      return metadataTest(permission);
    case "destination-ip": {
      const isInside = compileRange(permission.range);
      return (connection) => isInside(connection.local);
    }
    case "destination-port":
      return portTest((port) => port === permission.port);
    case "destination-port-range":
      return portTest((port) => port >= permission.start && port < permission.end);
    case "requested-server-name":
      return (connection) => permission.matches(connection.requestedServerName);
  }
}

function compilePrincipal(principal: RbacPrincipal): Test {
  switch (principal.kind) {
    case "any":
      return always;
    case "and":
      return allOf(principal.rules.map(compilePrincipal));
    case "or":
      return anyOf(principal.rules.map(compilePrincipal));
    case "not":
      return not(compilePrincipal(principal.rule));
    case "header":
      return requestTest(principal.matches);
    case "url-path":
      return pathTest(principal.matches);
    case "metadata":
      return metadataTest(principal);
    case "authenticated":
      return authenticatedTest(principal.matches);
    case "direct-remote-ip": {
      const isInside = compileRange(principal.range);
      return (connection) => isInside(connection.directRemote ?? connection.remote);
    }
    case "remote-ip": {
      const isInside = compileRange(principal.range);
      return (connection, exchange) => isInside(exchange?.clientAddress ?? connection.remote);
    }
  }
}

/** Envoy's order: URI names if there are any, else DNS names, else the subject. */
function authenticatedTest(matches: StringTest | undefined): Test {
  return ({ peer }) => {
    if (!peer) return false;
    if (!matches) return true;
    if (peer.uris.length > 0) {
      for (const uri of peer.uris) if (matches(uri)) return true;
      return false;
    }
    if (peer.dnsNames.length > 0) {
      for (const name of peer.dnsNames) if (matches(name)) return true;
      return false;
    }
    return matches(peer.subject);
  };
}

const always: Test = () => true;

function requestTest(matches: (request: RequestHead) => boolean): Test {
  return (_connection, exchange) => exchange?.request !== undefined && matches(exchange.request);
}

function pathTest(matches: StringTest): Test {
  return (_connection, exchange) => {
    const path = exchange?.request?.path;
    if (path === undefined) return false;
    const end = path.search(/[?#]/);
    return matches(end < 0 ? path : path.slice(0, end));
  };
}

function metadataTest({ filter, keys, matches }: MetadataTest): Test {
  return (connection, exchange) =>
    matches(metadataAt(exchange ? exchange.dynamicMetadata : connection.metadata, filter, keys));
}

function portTest(matches: (port: number) => boolean): Test {
  return ({ local }) => local.kind === "ip" && matches(local.port);
}

function not(test: Test): Test {
  return (connection, exchange) => !test(connection, exchange);
}

function anyOf(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (connection, exchange) => {
    for (const test of tests) if (test(connection, exchange)) return true;
    return false;
  };
}

function allOf(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (connection, exchange) => {
    for (const test of tests) if (!test(connection, exchange)) return false;
    return true;
  };
}
