import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import type { AuthorizationPolicySpec, AuthorizationRuleSpec, PeerAuthenticationSpec } from "./specs.ts";
import { isHeaderName } from "./values.ts";

/** Condition keys that are enforced; `request.headers[…]` besides. */
export const conditionKeys = [
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "destination.ip",
  "destination.port",
  "connection.sni",
] as const;

export function checkPeerAuthentication(spec: PeerAuthenticationSpec, find: Finding): void {
  const labels = Object.keys(spec.selector?.matchLabels ?? {});
  if (spec.portLevelMtls && labels.length === 0) {
    const hint = "name the workloads by selector.matchLabels";
    find.error("W1212", "spec.portLevelMtls", "spec.portLevelMtls needs a selector", hint);
  }
  for (const port of Object.keys(spec.portLevelMtls ?? {})) {
    const path = joinPath("spec.portLevelMtls", port);
    if (!/^\d+$/.test(port)) find.error("W1208", path, `${path}: "${port}" is not a port number`);
    else find.port(path, Number(port));
  }
}

export function checkAuthorizationPolicy(spec: AuthorizationPolicySpec, find: Finding): void {
  if (spec.action === "AUDIT") {
    find.warning(
      "W1301",
      "spec.action",
      "AuthorizationPolicy.spec.action AUDIT is not supported yet: nothing is logged",
    );
  }
  spec.rules?.forEach((rule, i) => {
    checkRule(rule, `spec.rules[${i}]`, find);
  });
}

function checkRule(rule: AuthorizationRuleSpec, path: string, find: Finding): void {
  rule.from?.forEach(({ source }, i) => {
    const at = `${path}.from[${i}].source`;
    checkLists(source, at, find);
    if (!source) return;
    for (const field of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const) {
      source[field]?.forEach((block, j) => {
        find.cidr(`${at}.${field}[${j}]`, block);
      });
    }
    const byAccount = source.serviceAccounts ?? source.notServiceAccounts;
    if (
      byAccount &&
      (source.principals ?? source.notPrincipals ?? source.namespaces ?? source.notNamespaces)
    ) {
      find.error(
        "W1106",
        at,
        `${at} sets serviceAccounts beside principals or namespaces`,
        "keep one of them",
      );
    }
  });
  rule.to?.forEach(({ operation }, i) => {
    const at = `${path}.to[${i}].operation`;
    checkLists(operation, at, find);
    for (const field of ["ports", "notPorts"] as const) {
      operation?.[field]?.forEach((port, j) => {
        checkPort(port, `${at}.${field}[${j}]`, find);
      });
    }
    for (const field of ["paths", "notPaths"] as const) {
      operation?.[field]?.forEach((value, j) => {
        if (!value.includes("{")) return;
        const hint = "write a prefix (/a/*) or a suffix (*/b)";
        find.error("W1302", `${at}.${field}[${j}]`, `path templates are not supported yet: "${value}"`, hint);
      });
    }
  });
  rule.when?.forEach((condition, i) => {
    const at = `${path}.when[${i}]`;
    checkConditionKey(condition.key, `${at}.key`, find);
    if (!condition.values?.length && !condition.notValues?.length) {
      find.error("W1104", at, `${at} has neither values nor notValues`, "add values");
    }
    for (const field of ["values", "notValues"] as const) {
      condition[field]?.forEach((value, j) => {
        const place = `${at}.${field}[${j}]`;
        if (value === "") find.error("W1105", place, `${place} is empty`);
        if (/^(source|remote|destination)\.ip$/.test(condition.key)) find.cidr(place, value);
        if (condition.key === "destination.port") checkPort(value, place, find);
      });
    }
  });
}

/** An empty list or value would match either nothing or everything: neither is what was meant. */
function checkLists(fields: object | undefined, path: string, find: Finding): void {
  if (!fields || Object.keys(fields).length === 0) {
    find.error("W1104", path, `${path} is empty`, "remove it to match everything, or say what it matches");
    return;
  }
  for (const [name, values] of Object.entries(fields) as [string, readonly string[]][]) {
    if (values.length === 0)
      find.error("W1105", `${path}.${name}`, `${path}.${name} is empty`, "add a value or remove it");
    values.forEach((value, i) => {
      if (value === "") find.error("W1105", `${path}.${name}[${i}]`, `${path}.${name}[${i}] is empty`);
    });
  }
}

function checkPort(port: string, path: string, find: Finding): void {
  if (!/^\d{1,5}$/.test(port)) find.error("W1208", path, `${path}: "${port}" is not a port`, "1 to 65535");
  else find.port(path, Number(port));
}

function checkConditionKey(key: string, path: string, find: Finding): void {
  const header = /^request\.headers\[(.*)\]$/.exec(key)?.[1];
  if (header !== undefined) {
    if (!isHeaderName(header)) find.error("W1206", path, `${path}: "${header}" is not a header name`);
    return;
  }
  if (key.startsWith("request.auth.") || key.startsWith("experimental.")) {
    find.error(
      "W1302",
      path,
      `condition ${key} is not supported yet`,
      "the policy would permit more than written",
    );
    return;
  }
  find.word(path, key, conditionKeys);
}
