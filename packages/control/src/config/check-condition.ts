import { checkAccounts, checkPort, checkTrustDomains } from "./check-policy-values.ts";
import type { Finding } from "./finding.ts";
import type { ConditionSpec } from "./security-specs.ts";
import { isHeaderName } from "./values.ts";

/** Beside `request.headers[…]`, `request.auth.claims[…]` and `experimental.envoy.filters.…[…]`. */
const conditionKeys = [
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.principal",
  "source.serviceAccount",
  "source.trustDomain",
  "destination.ip",
  "destination.port",
  "connection.sni",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
] as const;

export function checkCondition(condition: ConditionSpec, at: string, find: Finding): void {
  const { key } = condition;
  checkKey(key, `${at}.key`, find);
  if (!condition.values?.length && !condition.notValues?.length) {
    find.error("W1104", at, `${at} has neither values nor notValues`, "add values");
  }
  for (const field of ["values", "notValues"] as const) {
    const path = `${at}.${field}`;
    if (key === "source.serviceAccount") checkAccounts(condition[field], path, find);
    if (key === "source.trustDomain") checkTrustDomains(condition[field], path, find);
    condition[field]?.forEach((value, j) => {
      const place = `${path}[${j}]`;
      if (value === "") find.error("W1105", place, `${place} is empty`);
      if (/^(source|remote|destination)\.ip$/.test(key)) find.cidr(place, value);
      if (key === "destination.port") checkPort(value, place, find);
    });
  }
}

function checkKey(key: string, path: string, find: Finding): void {
  const bracketed =
    /^(request\.headers|request\.auth\.claims|experimental\.envoy\.filters\.[\w.-]+)\[(.+)\]$/.exec(key);
  if (!bracketed) {
    find.word(path, key, conditionKeys);
    return;
  }
  const [, prefix, name] = bracketed;
  if (prefix === "request.headers" && !isHeaderName(name!)) {
    find.error("W1206", path, `${path}: "${name}" is not a header name`);
  }
}
