import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Permission, PermissionSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { OperationSpec } from "../config/specs.ts";
import { parseCidr } from "../config/values.ts";
import { cidr } from "./messages.ts";
import { escapeRegex, type StringMatch, wildcardMatch } from "./string-match.ts";

type Rule = Exclude<MessageInitShape<typeof PermissionSchema>, Permission>["rule"];

export function permission(rule: Rule): Permission {
  return create(PermissionSchema, { rule });
}

export const anyPermission = (): Permission => permission({ case: "any", value: true });
export const allOf = (rules: Permission[]): Permission =>
  rules.length === 1 ? rules[0]! : permission({ case: "andRules", value: { rules } });
export const oneOf = (rules: Permission[]): Permission =>
  rules.length === 1 ? rules[0]! : permission({ case: "orRules", value: { rules } });
export const not = (rule: Permission): Permission => permission({ case: "notRule", value: rule });

/** From an application's port, as policies name it, to the port the sidecar sees. */
export type PortMap = (port: number) => number;

export function byPort(value: string, seenPort: PortMap): Permission {
  return permission({ case: "destinationPort", value: seenPort(Number(value)) });
}

export function byDestinationAddress(block: string): Permission {
  const { address, prefixLength } = parseCidr(block)!;
  return permission({ case: "destinationIp", value: cidr(address, prefixLength) });
}

export function byServerName(value: string): Permission {
  return permission({ case: "requestedServerName", value: wildcardMatch(value) });
}

function byHeader(name: string, value: StringMatch): Permission {
  return permission({
    case: "header",
    value: { name, headerMatchSpecifier: { case: "stringMatch", value } },
  });
}

/** Hosts compare without case and, as a policy names no port, with any port a client appends. */
function byHost(value: string): Permission {
  if (value.includes("*")) return byHeader(":authority", wildcardMatch(value, { ignoreCase: true }));
  const pattern = value.includes(":") ? escapeRegex(value) : `${escapeRegex(value)}(:[0-9]+)?`;
  return byHeader(":authority", { matchPattern: { case: "safeRegex", value: { regex: `(?i)${pattern}` } } });
}

/** The path without its query. */
function byPath(value: string): Permission {
  return permission({ case: "urlPath", value: { rule: { case: "path", value: wildcardMatch(value) } } });
}

/** All fields of an operation must hold; within one field any value, within a `not` field none. */
export function operationPermission(operation: OperationSpec, seenPort: PortMap): Permission {
  const fields: [
    yes: readonly string[] | undefined,
    no: readonly string[] | undefined,
    of: (v: string) => Permission,
  ][] = [
    [operation.hosts, operation.notHosts, byHost],
    [operation.ports, operation.notPorts, (value) => byPort(value, seenPort)],
    [operation.methods, operation.notMethods, (value) => byHeader(":method", wildcardMatch(value))],
    [operation.paths, operation.notPaths, byPath],
  ];
  const rules: Permission[] = [];
  for (const [yes, no, of] of fields) {
    if (yes?.length) rules.push(oneOf(yes.map(of)));
    if (no?.length) rules.push(not(oneOf(no.map(of))));
  }
  return rules.length > 0 ? allOf(rules) : anyPermission();
}
