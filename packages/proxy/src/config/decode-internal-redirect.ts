import type { Message } from "@bufbuild/protobuf";
import type { InternalRedirectPolicy } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { AllowListedRoutesConfig } from "@weft/xds/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb";
import type { InternalRedirectPlan, RedirectPredicate } from "../route/internal-redirect-plan.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

/** What Envoy can follow; other codes in the list change nothing there. */
const followable: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const predicates = "envoy.extensions.internal_redirect.";

/** Decodes which redirects are followed; undefined where none are. */
export function decodeInternalRedirect(
  policy: InternalRedirectPolicy | undefined,
  path: string,
  issues: Issues,
): InternalRedirectPlan | undefined {
  if (!policy) return undefined;
  const { redirectResponseCodes, maxInternalRedirects, allowCrossSchemeRedirect, responseHeadersToCopy } =
    policy;
  const copiedFields = responseHeadersToCopy.map((name) => name.toLowerCase());
  copiedFields.forEach((name, i) => {
    if (name === "" || name === "host" || name.startsWith(":"))
      issues.add(`${at(path, "response_headers_to_copy")}[${i}]`, `"${name}" cannot be copied`);
  });
  return {
    maxRedirects: maxInternalRedirects ?? 1,
    statuses: new Set(
      redirectResponseCodes.length === 0
        ? [302]
        : redirectResponseCodes.filter((status) => followable.has(status)),
    ),
    allowsCrossScheme: allowCrossSchemeRedirect,
    copiedFields,
    predicates: policy.predicates.flatMap((predicate, i) => {
      const place = `${at(path, "predicates")}[${i}]`;
      const decoded = decodePredicate(predicate.typedConfig && unpackAny(predicate.typedConfig));
      if (!decoded) {
        const hint =
          "use allow_listed_routes, previous_routes or safe_cross_scheme of envoy.internal_redirect_predicates";
        issues.add(at(place, "name"), `${predicate.name} is not implemented by this proxy`, hint);
      }
      return decoded ?? [];
    }),
  };
}

function decodePredicate(config: Message | undefined): RedirectPredicate | undefined {
  switch (config?.$typeName) {
    case `${predicates}previous_routes.v3.PreviousRoutesConfig`:
      return { kind: "previous-routes" };
    case `${predicates}safe_cross_scheme.v3.SafeCrossSchemeConfig`:
      return { kind: "safe-cross-scheme" };
    case `${predicates}allow_listed_routes.v3.AllowListedRoutesConfig`:
      return {
        kind: "allowed-routes",
        names: new Set((config as AllowListedRoutesConfig).allowedRouteNames),
      };
    default:
      return undefined;
  }
}
