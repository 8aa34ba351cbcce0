import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  RBAC_Action as Action,
  type Permission,
  type Policy,
  PolicySchema,
  type Principal,
  type RBAC,
  RBACSchema,
} from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { HeaderMatcherSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { ConditionSpec, OperationSpec } from "../config/specs.ts";
import type { MeshWorkload } from "../model/mesh.ts";
import type { AuthorizationPolicy, AuthorizationRule } from "../model/security.ts";
import * as op from "./rbac-operation.ts";
import * as src from "./rbac-source.ts";
import { wildcardMatch } from "./string-match.ts";

/** Whether requests are seen, or connections only. */
export type RbacLevel = "http" | "tcp";

/** The DENY rules and then the ALLOW rules that a workload enforces; absent where it has none. */
export function workloadRbac(workload: MeshWorkload, level: RbacLevel): { deny?: RBAC; allow?: RBAC } {
  const trustDomain = workload.identity.split("/")[2]!;
  const context = { level, seenPort: portMap(workload), trustDomain };
  return {
    ...(workload.denyPolicies.length > 0 ? { deny: rbac(Action.DENY, workload.denyPolicies, context) } : {}),
    ...(workload.allowPolicies ? { allow: rbac(Action.ALLOW, workload.allowPolicies, context) } : {}),
  };
}

interface Context {
  readonly level: RbacLevel;
  readonly seenPort: op.PortMap;
  readonly trustDomain: string;
}

function portMap(workload: MeshWorkload): op.PortMap {
  const listenPorts = new Map(workload.inbound.map((p) => [p.port, p.listenPort]));
  return (port) => listenPorts.get(port) ?? port;
}

function rbac(action: Action, policies: readonly AuthorizationPolicy[], context: Context): RBAC {
  const built: Record<string, Policy> = {};
  for (const { namespace, name, rules } of policies) {
    rules.forEach((rule, i) => {
      const policy = rulePolicy(rule, namespace, action, context);
      if (policy) built[`ns[${namespace}]-policy[${name}]-rule[${i}]`] = policy;
    });
  }
  return create(RBACSchema, { action, policies: built });
}

/**
 * On a TCP port nothing is known of requests. A DENY rule then leaves out what
 * it cannot see and denies more; an ALLOW rule that needs it allows nothing.
 */
function rulePolicy(
  rule: AuthorizationRule,
  namespace: string,
  action: Action,
  context: Context,
): Policy | undefined {
  let { to, when } = rule;
  if (context.level === "tcp") {
    const needsRequest = to.some(isHttpOperation) || when.some(isHttpCondition);
    if (needsRequest && action === Action.ALLOW) {
      to = to.filter((operation) => !isHttpOperation(operation));
      if (when.some(isHttpCondition) || (to.length === 0 && rule.to.length > 0)) return undefined;
    } else {
      to = to.map(({ ports, notPorts }) => ({ ports, notPorts }));
      when = when.filter((condition) => !isHttpCondition(condition));
    }
  }
  const conditions = when.map((condition) => conditionOf(condition, namespace, context));
  const sources = rule.from.map((source) => src.sourcePrincipal(source, namespace, context.trustDomain));
  const operations = to.map((operation) => op.operationPermission(operation, context.seenPort));
  const principals = [
    sources.length > 0 ? src.oneOf(sources) : undefined,
    ...conditions.map((c) => c.principal),
  ];
  const permissions = [
    operations.length > 0 ? op.oneOf(operations) : undefined,
    ...conditions.map((c) => c.permission),
  ];
  const principalList = principals.filter((p) => p !== undefined);
  const permissionList = permissions.filter((p) => p !== undefined);
  return create(PolicySchema, {
    permissions: [permissionList.length > 0 ? op.allOf(permissionList) : op.anyPermission()],
    principals: [principalList.length > 0 ? src.allOf(principalList) : src.anyPrincipal()],
  });
}

function isHttpOperation({ hosts, notHosts, methods, notMethods, paths, notPaths }: OperationSpec): boolean {
  return [hosts, notHosts, methods, notMethods, paths, notPaths].some((list) => list !== undefined);
}

function isHttpCondition({ key }: ConditionSpec): boolean {
  return key.startsWith("request.");
}

type Part = { readonly principal?: Principal; readonly permission?: Permission };

/** One of `values`, and none of `notValues`. */
function conditionOf({ key, values, notValues }: ConditionSpec, namespace: string, context: Context): Part {
  const asPrincipal = (of: (value: string) => Principal): Part => ({
    principal: src.allOf([
      ...(values?.length ? [src.oneOf(values.map(of))] : []),
      ...(notValues?.length ? [src.not(src.oneOf(notValues.map(of)))] : []),
    ]),
  });
  const asPermission = (of: (value: string) => Permission): Part => ({
    permission: op.allOf([
      ...(values?.length ? [op.oneOf(values.map(of))] : []),
      ...(notValues?.length ? [op.not(op.oneOf(notValues.map(of)))] : []),
    ]),
  });
  switch (key) {
    case "source.ip":
      return asPrincipal(src.byDirectAddress);
    case "remote.ip":
      return asPrincipal(src.byRemoteAddress);
    case "source.namespace":
      return asPrincipal(src.byNamespace);
    case "source.principal":
      return asPrincipal((value) => src.byPrincipal(value, context.trustDomain));
    case "source.serviceAccount":
      return asPrincipal((value) => src.byServiceAccount(value, namespace));
    case "destination.ip":
      return asPermission(op.byDestinationAddress);
    case "destination.port":
      return asPermission((value) => op.byPort(value, context.seenPort));
    case "connection.sni":
      return asPermission(op.byServerName);
    default:
      return asPrincipal((value) => byRequestHeader(/^request\.headers\[(.*)\]$/.exec(key)![1]!, value));
  }
}

function byRequestHeader(name: string, value: string): Principal {
  const header: MessageInitShape<typeof HeaderMatcherSchema> = {
    name,
    headerMatchSpecifier:
      value === "*"
        ? { case: "presentMatch", value: true }
        : { case: "stringMatch", value: wildcardMatch(value) },
  };
  return src.principal({ case: "header", value: header });
}
