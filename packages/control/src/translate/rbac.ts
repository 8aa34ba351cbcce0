import { create } from "@bufbuild/protobuf";
import {
  RBAC_Action as Action,
  type Policy,
  PolicySchema,
  type RBAC,
  RBACSchema,
} from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { OperationSpec, SourceSpec } from "../config/security-specs.ts";
import type { AuthorizationAction, AuthorizationPolicy, AuthorizationRule } from "../model/security.ts";
import { conditionPart, isHttpCondition } from "./rbac-condition.ts";
import type { RbacContext } from "./rbac-context.ts";
import * as op from "./rbac-operation.ts";
import { allOf, anyPrincipal, oneOf, withoutIdentities } from "./rbac-principal.ts";
import { sourcePrincipal } from "./rbac-source.ts";

const actions: Readonly<Record<AuthorizationAction, Action>> = {
  ALLOW: Action.ALLOW,
  DENY: Action.DENY,
  AUDIT: Action.LOG,
  // Never enforced: what matches is asked about.
  CUSTOM: Action.DENY,
};

/** The rules of policies of one action; what they do not match is as if there were none. */
export function rbacRules(
  action: AuthorizationAction,
  policies: readonly AuthorizationPolicy[],
  context: RbacContext,
  prefix = "",
  suffix = "",
): RBAC {
  const built: Record<string, Policy> = {};
  for (const { namespace, name, rules } of policies) {
    rules.forEach((rule, i) => {
      const policy = rulePolicy(rule, namespace, action, context);
      if (policy) built[`${prefix}${ruleName(namespace, name, i)}${suffix}`] = policy;
    });
  }
  return create(RBACSchema, { action: actions[action], policies: built });
}

/** What a rule is called in xDS, and in the details of a denial, as in Istio. */
function ruleName(namespace: string, name: string, index: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${index}]`;
}

/** Where each rule was written, by its name in xDS. */
export function ruleOrigins(policies: readonly AuthorizationPolicy[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    policies.flatMap(({ namespace, name, rules }) =>
      rules.map(({ origin }, i) => [ruleName(namespace, name, i), origin] as const),
    ),
  );
}

/**
 * On a TCP port nothing is known of requests. As in Istio an ALLOW rule that
 * needs them allows nothing there, and one of another action leaves out what it
 * cannot see: it denies, asks about or notes more.
 */
function rulePolicy(
  rule: AuthorizationRule,
  namespace: string,
  action: AuthorizationAction,
  context: RbacContext,
): Policy | undefined {
  if (context.level === "http") return toPolicy(rule, namespace, context);
  const { from, to, when } = rule;
  const needsRequest = from.some(isHttpSource) || to.some(isHttpOperation) || when.some(isHttpCondition);
  if (needsRequest && action === "ALLOW") return undefined;
  const seen = {
    ...rule,
    from: from.map(({ requestPrincipals: _, notRequestPrincipals: _not, ...source }) => source),
    to: to.map(({ ports, notPorts }) => ({ ports, notPorts })),
    when: when.filter((condition) => !isHttpCondition(condition)),
  };
  return toPolicy(seen, namespace, context);
}

function toPolicy({ from, to, when }: AuthorizationRule, namespace: string, context: RbacContext): Policy {
  const conditions = when.map((condition) => conditionPart(condition, namespace, context));
  const sources = from.map((source) => sourcePrincipal(source, namespace, context.trustDomains));
  const operations = to.map((operation) => op.operationPermission(operation, context.seenPort));
  const principals = [sources.length > 0 ? oneOf(sources) : undefined, ...conditions.map((c) => c.principal)];
  const permissions = [
    operations.length > 0 ? op.oneOf(operations) : undefined,
    ...conditions.map((c) => c.permission),
  ];
  const written = principals.filter((p) => p !== undefined);
  const principalList = context.provesIdentities ? written : written.map(withoutIdentities);
  const permissionList = permissions.filter((p) => p !== undefined);
  return create(PolicySchema, {
    permissions: [permissionList.length > 0 ? op.allOf(permissionList) : op.anyPermission()],
    principals: [principalList.length > 0 ? allOf(principalList) : anyPrincipal()],
  });
}

function isHttpSource({ requestPrincipals, notRequestPrincipals }: SourceSpec): boolean {
  return requestPrincipals !== undefined || notRequestPrincipals !== undefined;
}

function isHttpOperation({ hosts, notHosts, methods, notMethods, paths, notPaths }: OperationSpec): boolean {
  return [hosts, notHosts, methods, notMethods, paths, notPaths].some((list) => list !== undefined);
}
