import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Permission, Principal } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { HeaderMatcherSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { ConditionSpec } from "../config/security-specs.ts";
import { byClaimValues, byRequestPrincipals, claimPath } from "./rbac-claims.ts";
import type { RbacContext } from "./rbac-context.ts";
import * as op from "./rbac-operation.ts";
import { allOf, not, oneOf, principal } from "./rbac-principal.ts";
import * as src from "./rbac-source.ts";
import { wildcardMatch } from "./string-match.ts";

/** What of a condition is about the caller, or about what is called. */
interface ConditionPart {
  readonly principal?: Principal;
  readonly permission?: Permission;
}

export function isHttpCondition({ key }: ConditionSpec): boolean {
  return key.startsWith("request.");
}

/** One of `values`, and none of `notValues`. */
export function conditionPart(
  { key, values, notValues }: ConditionSpec,
  namespace: string,
  context: RbacContext,
): ConditionPart {
  const callerIn = (anyOf: (values: readonly string[]) => Principal): ConditionPart => ({
    principal: allOf([
      ...(values?.length ? [anyOf(values)] : []),
      ...(notValues?.length ? [not(anyOf(notValues))] : []),
    ]),
  });
  const caller = (of: (value: string) => Principal) => callerIn((list) => oneOf(list.map(of)));
  const called = (of: (value: string) => Permission): ConditionPart => ({
    permission: op.allOf([
      ...(values?.length ? [op.oneOf(values.map(of))] : []),
      ...(notValues?.length ? [op.not(op.oneOf(notValues.map(of)))] : []),
    ]),
  });
  switch (key) {
    case "source.ip":
      return caller(src.byDirectAddress);
    case "remote.ip":
      return caller(src.byRemoteAddress);
    case "source.namespace":
      return caller((value) => src.byNamespace(value, context.trustDomains));
    case "source.principal":
      return caller((value) => src.byPrincipal(value, context.trustDomains));
    case "source.serviceAccount":
      return caller((value) => src.byServiceAccount(value, namespace, context.trustDomains));
    case "source.trustDomain":
      return caller((value) => src.byTrustDomain(value, context.trustDomains));
    case "destination.ip":
      return called(op.byDestinationAddress);
    case "destination.port":
      return called((value) => op.byPort(value, context.seenPort));
    case "connection.sni":
      return called(op.byServerName);
    case "request.auth.principal":
      return callerIn(byRequestPrincipals);
    case "request.auth.audiences":
      return callerIn((list) => byClaimValues(["aud"], list));
    case "request.auth.presenter":
      return callerIn((list) => byClaimValues(["azp"], list));
    default:
      return otherPart(key, callerIn, called);
  }
}

function otherPart(
  key: string,
  callerIn: (anyOf: (values: readonly string[]) => Principal) => ConditionPart,
  called: (of: (value: string) => Permission) => ConditionPart,
): ConditionPart {
  const open = key.indexOf("[");
  const prefix = key.slice(0, open);
  if (prefix === "request.auth.claims") {
    return callerIn((list) => byClaimValues(claimPath(key.slice(open)), list));
  }
  const name = key.slice(open + 1, -1);
  if (prefix === "request.headers") {
    return callerIn((list) => oneOf(list.map((value) => byRequestHeader(name, value))));
  }
  return called((value) => op.byFilterMetadata(prefix.slice("experimental.".length), name, value));
}

function byRequestHeader(name: string, value: string): Principal {
  const header: MessageInitShape<typeof HeaderMatcherSchema> = {
    name,
    headerMatchSpecifier:
      value === "*"
        ? { case: "presentMatch", value: true }
        : { case: "stringMatch", value: wildcardMatch(value) },
  };
  return principal({ case: "header", value: header });
}
