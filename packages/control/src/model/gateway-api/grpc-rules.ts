import type { GrpcRuleMatchSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { provenanceOf } from "../provenance.ts";
import type { PathMatcher } from "../routing.ts";
import type { BackendLookup, RefProblem } from "./backend-refs.ts";
import { anyRequest, type CompiledRules, headerMatchers } from "./http-rules.ts";
import type { RankedRoute } from "./precedence.ts";
import { ruleAction } from "./rule-action.ts";

/** The rules of a GRPCRoute as routes of the model: a call of a method is a request for `/service/method`. */
export function grpcRules(
  resource: ResourceOf<"GRPCRoute">,
  backends: BackendLookup,
): CompiledRules<RankedRoute> {
  const problems: RefProblem[] = [];
  const rules = resource.spec.rules ?? [{}];
  const routes = rules.flatMap((rule, i) => {
    const path = `spec.rules[${i}]`;
    const name = `${resource.namespace}/${resource.name}/${rule.name ?? i}`;
    const source = provenanceOf(resource, path);
    const context = { path, resource, matched: "", missingStatus: 503 } as const;
    const parts = ruleAction(rule, context, backends, problems);
    return (rule.matches ?? [{}]).map((match): RankedRoute => {
      const matches = [
        { ...anyRequest, uri: methodMatcher(match.method), ...headerMatchers(match.headers ?? []) },
      ];
      return { route: { name, matches, fault: undefined, ...parts, source }, rank: rankOf(match) };
    });
  });
  return { routes, problems };
}

/** By length of the service, then of the method, then by number of headers. */
function rankOf({ method, headers = [] }: GrpcRuleMatchSpec): number[] {
  return [method?.service?.length ?? 0, method?.method?.length ?? 0, headers.length];
}

function methodMatcher(match: GrpcRuleMatchSpec["method"]): PathMatcher | undefined {
  if (!match) return undefined;
  const { type, service, method } = match;
  if (type === "RegularExpression") {
    const part = (pattern: string | undefined) => (pattern ? `(?:${pattern})` : "[^/]+");
    return { kind: "regex", value: `/${part(service)}/${part(method)}` };
  }
  if (service && method) return { kind: "exact", value: `/${service}/${method}` };
  // Names have no characters that mean something in a pattern, but dots.
  return service ? { kind: "prefix", value: `/${service}/` } : { kind: "regex", value: `/[^/]+/${method}` };
}
