import type {
  HttpBackendRefSpec,
  HttpRuleMatchSpec,
  HttpRuleSpec,
  ValueMatchSpec,
} from "../config/gateway-api-specs.ts";
import type { StringMatch } from "../config/virtual-service-specs.ts";
import type { RouteForm } from "./route-editor.ts";

/** How an HTTPRoute is edited: versions are backends of their own. */
export function httpRouteForm(stable: string, canary: string): RouteForm {
  return {
    rules: "rules",
    destinations: "backendRefs",
    matches: "matches",
    weigh: ({ backendRefs = [] }: HttpRuleSpec) =>
      backendRefs.map(({ name, weight = 1 }) => ({
        role: name === stable ? "stable" : name === canary ? "canary" : "other",
        weight,
      })),
    setCanary: (item) => item.set("name", canary),
    addMirror(rule, item, percent) {
      const { name, port } = item.toJSON() as HttpBackendRefSpec;
      const { filters = [] } = rule.toJSON() as HttpRuleSpec;
      const requestMirror = { backendRef: { name, port }, percent };
      rule.set("filters", [...filters, { type: "RequestMirror", requestMirror }]);
    },
    // Of two rules that match, the one that asks for more headers applies, wherever it stands.
    join: (match: HttpRuleMatchSpec, { headers, queryParams }) => ({
      ...match,
      ...(headers && { headers: [...(match.headers ?? []), ...valueMatches(headers)] }),
      ...(queryParams && { queryParams: [...(match.queryParams ?? []), ...valueMatches(queryParams)] }),
    }),
  };
}

/** What else a match may say has no words here, and was refused when the rollout began. */
function valueMatches(matches: Readonly<Record<string, StringMatch>>): readonly ValueMatchSpec[] {
  return Object.entries(matches).map(([name, { exact, regex = "" }]) =>
    exact === undefined
      ? { name, type: "RegularExpression", value: regex }
      : { name, type: "Exact", value: exact },
  );
}
