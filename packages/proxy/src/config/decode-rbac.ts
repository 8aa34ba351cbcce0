import type { Message } from "@bufbuild/protobuf";
import { messageOf } from "@weft/base/errors";
import type { TypedExtensionConfig } from "@weft/xds/gen/envoy/config/core/v3/extension_pb";
import {
  type Action,
  MetadataSource,
  type Permission,
  type Policy,
  type Principal,
  RBAC_Action as RuleAction,
  type RBAC as RulesMessage,
  type SourcedMetadata,
} from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import type { RBAC as HttpRbac } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import type { RBAC as NetworkRbac } from "@weft/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb";
import type { UriTemplateMatchConfig } from "@weft/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb";
import type { Matcher } from "@weft/xds/gen/xds/type/matcher/v3/matcher_pb";
import type {
  MetadataTest,
  PathCondition,
  RbacMatcher,
  RbacMatcherAction,
  RbacPermission,
  RbacPlan,
  RbacPolicy,
  RbacPrincipal,
  RbacRules,
  StringTest,
} from "../filters/rbac-plan.ts";
import { compileFullMatch } from "../route/string-matcher.ts";
import { parseUriTemplate } from "../route/uri-template.ts";
import type { MatchSubject } from "./decode-match-inputs.ts";
import { decodeMatchTree } from "./decode-match-tree.ts";
import { decodeMetadataMatcher } from "./decode-metadata-matcher.ts";
import { decodeCidr, decodeHeaderMatcher, decodeStringMatcher } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, atKey, type Issues } from "./issues.ts";

/** Policies nest their conditions; deeper than this is refused. */
const maxDepth = 32;

export function decodeHttpRbac(rbac: HttpRbac, path: string, issues: Issues): RbacPlan {
  return {
    ...decodeBoth(rbac, "request", path, issues),
    rulesStatPrefix: rbac.rulesStatPrefix,
    countsPolicies: rbac.trackPerRuleStats,
    shadowRulesStatPrefix: rbac.shadowRulesStatPrefix,
  };
}

export function decodeNetworkRbac(rbac: NetworkRbac, path: string, issues: Issues): RbacPlan {
  return {
    ...decodeBoth(rbac, "connection", path, issues),
    rulesStatPrefix: "",
    shadowRulesStatPrefix: rbac.shadowRulesStatPrefix,
  };
}

/** The two ways to say what is enforced, and what is only counted. */
function decodeBoth(
  rbac: Pick<HttpRbac, "rules" | "matcher" | "shadowRules" | "shadowMatcher">,
  subject: MatchSubject,
  path: string,
  issues: Issues,
): Pick<RbacPlan, "rules" | "shadowRules"> {
  const one = (
    rules: RulesMessage | undefined,
    matcher: Matcher | undefined,
    [rulesField, matcherField]: readonly [string, string],
  ) => {
    const place = at(path, matcherField);
    if (!matcher) return decodeRules(rules, at(path, rulesField), issues);
    if (rules)
      issues.add(place, `stands beside \`${rulesField}\`, which would be ignored`, "remove one of them");
    return decodeMatcher(matcher, subject, place, issues);
  };
  return {
    rules: one(rbac.rules, rbac.matcher, ["rules", "matcher"]),
    shadowRules: one(rbac.shadowRules, rbac.shadowMatcher, ["shadow_rules", "shadow_matcher"]),
  };
}

function decodeMatcher(matcher: Matcher, subject: MatchSubject, path: string, issues: Issues): RbacMatcher {
  const actions: RbacMatcherAction[] = [];
  const decodeAction = (message: Message, place: string): RbacMatcherAction | undefined => {
    if (message.$typeName !== "envoy.config.rbac.v3.Action") {
      issues.add(place, `${message.$typeName} does not decide`, "use envoy.config.rbac.v3.Action");
      return undefined;
    }
    const { name, action } = message as Action;
    if (name === "") issues.add(at(place, "name"), "is empty", "name the action: logs and denials say it");
    const decoded = { name, action: ruleActions[action] };
    actions.push(decoded);
    return decoded;
  };
  const find = decodeMatchTree(matcher, path, { subject, decodeAction, issues });
  return { action: "matcher", find, actions };
}

const ruleActions: Readonly<Record<RuleAction, RbacRules["action"]>> = {
  [RuleAction.ALLOW]: "allow",
  [RuleAction.DENY]: "deny",
  [RuleAction.LOG]: "log",
};

function decodeRules(rules: RulesMessage | undefined, path: string, issues: Issues): RbacRules | undefined {
  if (!rules) return undefined;
  return {
    action: ruleActions[rules.action],
    policies: Object.entries(rules.policies).map(([name, policy]) =>
      decodePolicy(name, policy, atKey(at(path, "policies"), name), issues),
    ),
  };
}

function decodePolicy(name: string, policy: Policy, path: string, issues: Issues): RbacPolicy {
  if (policy.permissions.length === 0)
    issues.add(at(path, "permissions"), "is empty", "use `any: true` for every request");
  if (policy.principals.length === 0)
    issues.add(at(path, "principals"), "is empty", "use `any: true` for every caller");
  return {
    name,
    permissions: policy.permissions.map((permission, i) =>
      decodePermission(permission, `${at(path, "permissions")}[${i}]`, issues, 0),
    ),
    principals: policy.principals.map((principal, i) =>
      decodePrincipal(principal, `${at(path, "principals")}[${i}]`, issues, 0),
    ),
    origin: undefined,
  };
}

/** Stands in for a condition that was refused; the resource is never used. */
const refused = { kind: "or", rules: [] } as const;

function decodePermission(
  permission: Permission,
  path: string,
  issues: Issues,
  depth: number,
): RbacPermission {
  if (depth > maxDepth) {
    issues.add(path, `conditions are nested deeper than ${maxDepth}`);
    return refused;
  }
  const { rule } = permission;
  switch (rule.case) {
    case "any":
      return rule.value ? { kind: "any" } : refused;
    case "andRules":
    case "orRules": {
      const isAnd = rule.case === "andRules";
      const place = at(path, isAnd ? "and_rules.rules" : "or_rules.rules");
      const rules = rule.value.rules.map((inner, i) =>
        decodePermission(inner, `${place}[${i}]`, issues, depth + 1),
      );
      if (rules.length === 0) issues.add(place, "is empty");
      return { kind: isAnd ? "and" : "or", rules };
    }
    case "notRule":
      return { kind: "not", rule: decodePermission(rule.value, at(path, "not_rule"), issues, depth + 1) };
    case "header":
      return { kind: "header", matches: decodeHeaderMatcher(rule.value, at(path, "header"), issues) };
    case "urlPath":
      return decodePathMatcher(rule.value, at(path, "url_path"), issues);
    case "destinationIp":
      return { kind: "destination-ip", range: decodeCidr(rule.value, at(path, "destination_ip"), issues) };
    case "destinationPort":
      if (rule.value > 65_535)
        issues.add(at(path, "destination_port"), `${rule.value} is not a port`, "0 to 65535");
      return { kind: "destination-port", port: rule.value };
    case "destinationPortRange":
      return { kind: "destination-port-range", start: rule.value.start, end: rule.value.end };
    case "requestedServerName":
      return {
        kind: "requested-server-name",
        matches: decodeStringMatcher(rule.value, at(path, "requested_server_name"), issues),
      };
    case "metadata":
      return { kind: "metadata", ...decodeMetadataMatcher(rule.value, at(path, "metadata"), issues) };
    case "sourcedMetadata":
      return { kind: "metadata", ...decodeSourced(rule.value, at(path, "sourced_metadata"), issues) };
    case "uriTemplate":
      return { kind: "url-path", matches: decodeTemplate(rule.value, at(path, "uri_template"), issues) };
    default:
      if (!rule.case) issues.add(path, "needs a rule", "use `any: true` for every request");
      return refused;
  }
}

function decodePrincipal(principal: Principal, path: string, issues: Issues, depth: number): RbacPrincipal {
  if (depth > maxDepth) {
    issues.add(path, `conditions are nested deeper than ${maxDepth}`);
    return refused;
  }
  const { identifier } = principal;
  switch (identifier.case) {
    case "any":
      return identifier.value ? { kind: "any" } : refused;
    case "andIds":
    case "orIds": {
      const isAnd = identifier.case === "andIds";
      const place = at(path, isAnd ? "and_ids.ids" : "or_ids.ids");
      const rules = identifier.value.ids.map((inner, i) =>
        decodePrincipal(inner, `${place}[${i}]`, issues, depth + 1),
      );
      if (rules.length === 0) issues.add(place, "is empty");
      return { kind: isAnd ? "and" : "or", rules };
    }
    case "notId":
      return { kind: "not", rule: decodePrincipal(identifier.value, at(path, "not_id"), issues, depth + 1) };
    case "authenticated": {
      const name = identifier.value.principalName;
      return {
        kind: "authenticated",
        matches: name && decodeStringMatcher(name, at(path, "authenticated.principal_name"), issues),
      };
    }
    case "sourceIp":
      return { kind: "direct-remote-ip", range: decodeCidr(identifier.value, at(path, "source_ip"), issues) };
    case "directRemoteIp":
      return {
        kind: "direct-remote-ip",
        range: decodeCidr(identifier.value, at(path, "direct_remote_ip"), issues),
      };
    case "remoteIp":
      return { kind: "remote-ip", range: decodeCidr(identifier.value, at(path, "remote_ip"), issues) };
    case "header":
      return { kind: "header", matches: decodeHeaderMatcher(identifier.value, at(path, "header"), issues) };
    case "urlPath":
      return decodePathMatcher(identifier.value, at(path, "url_path"), issues);
    case "metadata":
      return { kind: "metadata", ...decodeMetadataMatcher(identifier.value, at(path, "metadata"), issues) };
    case "sourcedMetadata":
      return { kind: "metadata", ...decodeSourced(identifier.value, at(path, "sourced_metadata"), issues) };
    default:
      if (!identifier.case) issues.add(path, "needs an identifier", "use `any: true` for every caller");
      return refused;
  }
}

function decodePathMatcher(
  { rule }: Extract<Permission["rule"], { case: "urlPath" }>["value"],
  path: string,
  issues: Issues,
): PathCondition {
  const matcher = rule.case === "path" ? rule.value : undefined;
  const matches = decodeStringMatcher(matcher, at(path, "path"), issues);
  const pattern = matcher?.matchPattern;
  const isLiteral = pattern?.case === "exact" || pattern?.case === "prefix";
  return {
    kind: "url-path",
    matches,
    ...(isLiteral && !matcher?.ignoreCase && { literal: { kind: pattern.case, text: pattern.value } }),
  };
}

function decodeSourced(
  { metadataMatcher, metadataSource }: SourcedMetadata,
  path: string,
  issues: Issues,
): MetadataTest {
  if (metadataSource !== MetadataSource.DYNAMIC) {
    issues.add(
      at(path, "metadata_source"),
      "only DYNAMIC metadata is known to this proxy",
      "leave it at DYNAMIC",
    );
  }
  const place = at(path, "metadata_matcher");
  if (metadataMatcher) return decodeMetadataMatcher(metadataMatcher, place, issues);
  issues.add(place, "is not set");
  return { filter: "", keys: [], matches: () => false };
}

function decodeTemplate(extension: TypedExtensionConfig, path: string, issues: Issues): StringTest {
  const message = extension.typedConfig && unpackAny(extension.typedConfig);
  if (message?.$typeName !== "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig") {
    issues.add(path, "is not a path template", "use envoy.path.match.uri_template.uri_template_matcher");
    return () => false;
  }
  const { pathTemplate } = message as UriTemplateMatchConfig;
  const place = at(path, "typed_config.path_template");
  try {
    return compileFullMatch(parseUriTemplate(pathTemplate).pattern);
  } catch (error) {
    issues.add(place, messageOf(error));
    return () => false;
  }
}
