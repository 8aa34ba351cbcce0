import { checkCondition } from "./check-condition.ts";
import { checkPolicyTarget } from "./check-policy-target.ts";
import { checkAccounts, checkPort, checkTrustDomains } from "./check-policy-values.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import type {
  AuthorizationPolicySpec,
  AuthorizationRuleSpec,
  OperationSpec,
  SourceSpec,
} from "./security-specs.ts";

export function checkAuthorizationPolicy(
  spec: AuthorizationPolicySpec,
  find: Finding,
  { annotations }: CheckedMetadata,
): void {
  checkPolicyTarget(spec, find);
  const { action = "ALLOW", rules } = spec;
  checkDryRun(annotations, find);
  checkProvider(spec, find);
  if (action === "DENY" && !rules) {
    const hint = "write rules: [{}] to deny everything";
    find.error("W1104", "spec", "spec.rules is missing: a DENY policy without rules denies nothing", hint);
  }
  rules?.forEach((rule, i) => {
    checkRule(rule, `spec.rules[${i}]`, find);
    if (action === "DENY") warnOfTcp(rule, `spec.rules[${i}]`, find);
  });
}

const dryRunAnnotation = "istio.io/dry-run";
const yes: readonly string[] = ["1", "t", "T", "TRUE", "true", "True"];
const no: readonly string[] = ["0", "f", "F", "FALSE", "false", "False"];

/** Whether a policy is to be evaluated and not enforced. */
export function isDryRun(annotations: CheckedMetadata["annotations"]): boolean {
  return yes.includes(annotations[dryRunAnnotation] ?? "false");
}

function checkDryRun(annotations: CheckedMetadata["annotations"], find: Finding): void {
  const value = annotations[dryRunAnnotation];
  if (value === undefined || yes.includes(value) || no.includes(value)) return;
  const message = `${dryRunAnnotation}: "${value}" is neither true nor false`;
  find.error("W1103", `metadata.annotations["${dryRunAnnotation}"]`, message);
}

/** Who is asked is not known by its certificate or token yet: CUSTOM policies come before authentication. */
function checkProvider({ action, provider, rules }: AuthorizationPolicySpec, find: Finding): void {
  if (action !== "CUSTOM") {
    if (provider)
      find.error("W1106", "spec.provider", "spec.provider is for action CUSTOM only", "remove it");
    return;
  }
  if (!provider?.name) {
    const hint = "name one of MeshConfig's extensionProviders";
    find.error("W1104", "spec", "spec.provider.name is missing: action CUSTOM asks somebody", hint);
  }
  if (!rules) {
    const hint = "write rules: [{}] to ask about everything";
    find.error("W1104", "spec", "spec.rules is missing: nobody would be asked about anything", hint);
  }
  rules?.forEach((rule, i) => {
    rule.from?.forEach(({ source }, j) => {
      for (const field of Object.keys(source ?? {})) {
        if (/ipBlocks$/i.test(field)) continue;
        refuseInCustom(`spec.rules[${i}].from[${j}].source.${field}`, find);
      }
    });
    rule.when?.forEach(({ key }, j) => {
      if (/^(source\.(namespace|principal|serviceAccount|trustDomain)$|request\.auth\.)/.test(key)) {
        refuseInCustom(`spec.rules[${i}].when[${j}].key`, find);
      }
    });
  });
}

function refuseInCustom(path: string, find: Finding): void {
  const hint = "select by what is called, headers or addresses, and let the provider decide who may";
  find.error("W1211", path, `${path} cannot be used with action CUSTOM`, hint);
}

function checkRule(rule: AuthorizationRuleSpec, path: string, find: Finding): void {
  for (const field of ["from", "to"] as const) {
    if (rule[field]?.length !== 0) continue;
    find.error("W1105", `${path}.${field}`, `${path}.${field} is empty`, "add an entry or remove it");
  }
  rule.from?.forEach(({ source }, i) => {
    checkSource(source, `${path}.from[${i}].source`, find);
  });
  rule.to?.forEach(({ operation }, i) => {
    checkOperation(operation, `${path}.to[${i}].operation`, find);
  });
  rule.when?.forEach((condition, i) => {
    checkCondition(condition, `${path}.when[${i}]`, find);
  });
}

function checkSource(source: SourceSpec | undefined, at: string, find: Finding): void {
  checkLists(source, at, find);
  if (!source) return;
  for (const field of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const) {
    source[field]?.forEach((block, j) => {
      find.cidr(`${at}.${field}[${j}]`, block);
    });
  }
  for (const field of ["serviceAccounts", "notServiceAccounts"] as const) {
    checkAccounts(source[field], `${at}.${field}`, find);
  }
  for (const field of ["trustDomains", "notTrustDomains"] as const) {
    checkTrustDomains(source[field], `${at}.${field}`, find);
  }
  const byAccount = source.serviceAccounts ?? source.notServiceAccounts;
  const byName = source.principals ?? source.notPrincipals ?? source.namespaces ?? source.notNamespaces;
  if (byAccount && byName) {
    const message = `${at} sets serviceAccounts beside principals or namespaces`;
    find.error("W1106", at, message, "keep one of them");
  }
}

function checkOperation(operation: OperationSpec | undefined, at: string, find: Finding): void {
  checkLists(operation, at, find);
  for (const field of ["ports", "notPorts"] as const) {
    operation?.[field]?.forEach((port, j) => {
      checkPort(port, `${at}.${field}[${j}]`, find);
    });
  }
  for (const field of ["paths", "notPaths"] as const) {
    operation?.[field]?.forEach((value, j) => {
      checkPath(value, `${at}.${field}[${j}]`, find);
    });
  }
}

/** A template is whole segments: `{*}` for one, `{**}` for any number, once and after every other. */
function checkPath(value: string, at: string, find: Finding): void {
  if (!/[{}]/.test(value)) return;
  const segments = value.replace(/^\/|\/$/g, "").split("/");
  const any = segments.indexOf("{**}");
  const isAfterAny = any >= 0 && segments.slice(any + 1).some((one) => one === "{*}" || one === "{**}");
  const isTemplate = segments.every(
    (one) => ["{*}", "{**}"].includes(one) || /^[\w.~%!$&'()+,;:@=-]+$/.test(one),
  );
  if (isTemplate && !isAfterAny && value.startsWith("/")) return;
  const hint = "write for example /users/{*}/orders or /files/{**}: templates are whole segments";
  find.error("W1211", at, `${at}: "${value}" is not a path template`, hint);
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

/** What only requests show is left out on TCP ports, so that a DENY rule of nothing else denies all of them. */
function warnOfTcp({ from, to, when }: AuthorizationRuleSpec, path: string, find: Finding): void {
  const hasPorts = to?.some(({ operation }) => operation?.ports ?? operation?.notPorts) ?? false;
  const isHttpSource = ({ source }: { source?: SourceSpec }) =>
    Object.keys(source ?? {}).every((name) => /^(not)?requestPrincipals$/i.test(name));
  const isHttpOnly =
    (to || from || when) &&
    !hasPorts &&
    (from ?? []).every(isHttpSource) &&
    (when ?? []).every(({ key }) => key.startsWith("request."));
  if (!isHttpOnly) return;
  const message = `${path} denies every connection to TCP ports, where requests are not seen`;
  find.warning("W1307", path, message, "name the ports it is for by to[].operation.ports");
}
