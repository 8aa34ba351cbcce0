import { isIP } from "node:net";
import { checkFilters } from "./check-route-filters.ts";
import { checkBackend, checkRoute, checkValueMatches } from "./check-routes.ts";
import { checkSessionPersistence } from "./check-session-persistence.ts";
import type { Finding } from "./finding.ts";
import type {
  GrpcRouteResourceSpec,
  GrpcRuleMatchSpec,
  TcpRouteResourceSpec,
  TlsRouteResourceSpec,
} from "./gateway-api-specs.ts";

/** What the Gateway API's published rules say of a GRPCRoute, beyond the types of its fields. */
export function checkGrpcRoute(spec: GrpcRouteResourceSpec, find: Finding): void {
  checkRoute(spec, find);
  spec.rules?.forEach((rule, i) => {
    const path = `spec.rules[${i}]`;
    rule.matches?.forEach((match, j) => {
      checkMethod(match.method, `${path}.matches[${j}].method`, find);
      checkValueMatches(match.headers, `${path}.matches[${j}].headers`, find);
    });
    checkFilters(rule.filters ?? [], `${path}.filters`, [], find);
    checkSessionPersistence(rule, path, find);
    rule.backendRefs?.forEach((backend, j) => {
      checkBackend(backend, `${path}.backendRefs[${j}]`, find);
      checkFilters(backend.filters ?? [], `${path}.backendRefs[${j}].filters`, [], find);
    });
  });
}

const parts = {
  service: { pattern: /^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i, what: "a gRPC service" },
  method: { pattern: /^[A-Za-z_][A-Za-z_0-9]*$/, what: "a gRPC method" },
} as const;

function checkMethod(match: GrpcRuleMatchSpec["method"], path: string, find: Finding): void {
  if (!match) return;
  if (!match.service && !match.method) {
    find.error("W1104", path, `${path} names neither service nor method`, "name one, or remove it");
  }
  for (const [field, { pattern, what }] of Object.entries(parts)) {
    const value = match[field as keyof typeof parts];
    if (value === undefined) continue;
    const at = `${path}.${field}`;
    if (match.type === "RegularExpression") find.regex(at, value);
    else if (!pattern.test(value)) find.error("W1105", at, `${at}: "${value}" is not the name of ${what}`);
  }
}

export function checkTcpRoute(spec: TcpRouteResourceSpec, find: Finding): void {
  checkRoute(spec, find);
  spec.rules.forEach((rule, i) => {
    rule.backendRefs.forEach((backend, j) => {
      checkBackend(backend, `spec.rules[${i}].backendRefs[${j}]`, find);
    });
  });
}

export function checkTlsRoute(spec: TlsRouteResourceSpec, find: Finding): void {
  checkTcpRoute(spec, find);
  spec.hostnames.forEach((name, i) => {
    find.host(`spec.hostnames[${i}]`, name);
    if (isIP(name) === 0 && name !== "*") return;
    find.error("W1203", `spec.hostnames[${i}]`, `spec.hostnames[${i}]: "${name}" is not a server name`);
  });
}
