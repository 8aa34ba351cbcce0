import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Permission, PermissionSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import { UriTemplateMatchConfigSchema } from "@weft/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb";
import type { OperationSpec } from "../config/security-specs.ts";
import { parseCidr } from "../config/values.ts";
import { cidr, pack } from "./messages.ts";
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

/**
 * Hosts compare without case, and with any port that a client appends where the
 * policy names none. `a.example.` is `a.example`.
 */
function byHost(value: string): Permission {
  if (value === "*" || (value.endsWith("*") && !value.startsWith("*"))) {
    return byHeader(":authority", wildcardMatch(value, { ignoreCase: true }));
  }
  const name = value.startsWith("*") ? `.*${escapeRegex(value.slice(1))}` : escapeRegex(value);
  const pattern = hasPort(value) ? name : `${name}\\.?(:[0-9]+)?`;
  return byHeader(":authority", { matchPattern: { case: "safeRegex", value: { regex: `(?i)${pattern}` } } });
}

/** `a:80` and `[::1]:80`, and not `[::1]`. */
function hasPort(host: string): boolean {
  return /:[0-9*]+$/.test(host);
}

/** The path without its query; `{*}` for one segment of it, `{**}` for any number at its end. */
function byPath(value: string): Permission {
  if (value.includes("{")) return byTemplate(value.replaceAll("{**}", "**").replaceAll("{*}", "*"));
  return permission({ case: "urlPath", value: { rule: { case: "path", value: wildcardMatch(value) } } });
}

function byTemplate(pathTemplate: string): Permission {
  const typedConfig = pack(UriTemplateMatchConfigSchema, { pathTemplate });
  return permission({ case: "uriTemplate", value: { name: "uri-template", typedConfig } });
}

/** What another filter noted about the request under `key`: text, or with `[value]` a list that holds it. */
export function byFilterMetadata(filter: string, key: string, value: string): Permission {
  const isList = value.startsWith("[") && value.endsWith("]");
  const text = { case: "stringMatch", value: wildcardMatch(isList ? value.slice(1, -1) : value) } as const;
  const matchPattern = isList
    ? ({
        case: "listMatch",
        value: { matchPattern: { case: "oneOf", value: { matchPattern: text } } },
      } as const)
    : text;
  const path = [{ segment: { case: "key" as const, value: key } }];
  return permission({ case: "metadata", value: { filter, path, value: { matchPattern } } });
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
