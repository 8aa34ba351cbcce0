import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtRequirement as JwtRequirementMessage,
  PerRouteConfigSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb";
import {
  createJwtAuthnFilter,
  type JwtAuthnStats,
  type JwtRouteConfig,
  jwtAuthnStats,
} from "../../filters/jwt/jwt-authn.ts";
import type { JwtProvider } from "../../filters/jwt/jwt-provider.ts";
import { compileRequirement, type JwtRequirement, type Verify } from "../../filters/jwt/jwt-requirement.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeJwtProvider } from "../decode-jwt-provider.ts";
import { decodeRequestMatch } from "../decode-route-match.ts";
import { at, atKey } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

/** Requirements nest; deeper than this is refused. */
const maxDepth = 16;

type Providers = ReadonlyMap<string, JwtProvider>;

export const jwtAuthnFilter = httpFilterType(
  JwtAuthenticationSchema,
  (message, { name, statPrefix, path }, context) => {
    const stats = jwtAuthnStats(context.services.stats, statPrefix, message.statPrefix);
    const providers = decodeProviders(message, stats, path, context);
    const requirements = new Map(
      Object.entries(message.requirementMap).map(([key, requirement]) => {
        const place = atKey(at(path, "requirement_map"), key);
        return [key, compileRequirement(decodeRequirement(requirement, providers, [], place, context, 0))];
      }),
    );
    return createJwtAuthnFilter(
      {
        rules: decodeRules(message, providers, requirements, at(path, "rules"), context),
        requirements,
        bypassesPreflight: message.bypassCorsPreflight,
        stripsFailure: message.stripFailureResponse,
      },
      stats,
      name,
    );
  },
  routeConfigType(PerRouteConfigSchema, ({ requirementSpecifier }, path, { issues }) => {
    const { case: kind, value } = requirementSpecifier;
    if (kind === "disabled" && value) return "disabled" satisfies JwtRouteConfig;
    if (kind === "requirementName" && value !== "") {
      return { requirement: value } satisfies JwtRouteConfig;
    }
    issues.add(path, "needs `disabled: true` or `requirement_name`");
    return undefined;
  }),
);

function decodeProviders(
  { providers }: JwtAuthentication,
  stats: JwtAuthnStats,
  path: string,
  context: DecodeContext,
): Providers {
  return new Map(
    Object.entries(providers).map(([key, provider]) => [
      key,
      decodeJwtProvider(key, provider, stats, atKey(at(path, "providers"), key), context),
    ]),
  );
}

function decodeRules(
  { rules }: JwtAuthentication,
  providers: Providers,
  requirements: ReadonlyMap<string, Verify>,
  path: string,
  context: DecodeContext,
) {
  return rules.map(({ match, requirementType }, i) => {
    const place = `${path}[${i}]`;
    const matches = decodeRequestMatch(match, at(place, "match"), context);
    switch (requirementType.case) {
      case "requires": {
        const inner = at(place, "requires");
        const requirement = decodeRequirement(requirementType.value, providers, [], inner, context, 0);
        return {
          matches,
          verify: requirement.kind === "nothing" ? undefined : compileRequirement(requirement),
        };
      }
      case "requirementName": {
        const verify = requirements.get(requirementType.value);
        if (!verify) {
          const problem = `'${requirementType.value}' is not in \`requirement_map\``;
          context.issues.add(at(place, "requirement_name"), problem);
        }
        return { matches, verify };
      }
      default:
        return { matches, verify: undefined };
    }
  });
}

/** `siblings`: the providers named beside a requirement in one list, whose tokens "allow missing" looks for; all where there are none. */
function decodeRequirement(
  { requiresType }: JwtRequirementMessage,
  providers: Providers,
  siblings: readonly JwtProvider[],
  path: string,
  context: DecodeContext,
  depth: number,
): JwtRequirement {
  const { issues } = context;
  if (depth > maxDepth) {
    issues.add(path, `requirements are nested deeper than ${maxDepth}`);
    return { kind: "nothing" };
  }
  const named = (name: string, place: string): JwtProvider | undefined => {
    const provider = providers.get(name);
    if (!provider) issues.add(place, `provider '${name}' is not in \`providers\``);
    return provider;
  };
  switch (requiresType.case) {
    case undefined:
      return { kind: "nothing" };
    case "providerName": {
      const provider = named(requiresType.value, at(path, "provider_name"));
      return provider ? { kind: "provider", provider, audiences: undefined } : { kind: "nothing" };
    }
    case "providerAndAudiences": {
      const { providerName, audiences } = requiresType.value;
      const provider = named(providerName, at(path, "provider_and_audiences.provider_name"));
      const own = audiences.length > 0 ? audiences : undefined;
      return provider ? { kind: "provider", provider, audiences: own } : { kind: "nothing" };
    }
    case "requiresAny":
    case "requiresAll": {
      const kind = requiresType.case === "requiresAny" ? "any" : "all";
      const place = at(path, `requires_${kind}.requirements`);
      const list = requiresType.value.requirements;
      if (list.length < 2) issues.add(place, "needs at least two requirements");
      const beside = kind === "any" ? siblingsIn(list, providers) : [];
      const requirements = list.map((one, i) =>
        decodeRequirement(one, providers, beside, `${place}[${i}]`, context, depth + 1),
      );
      return { kind, requirements: kind === "any" ? optionalLast(requirements) : requirements };
    }
    case "allowMissing":
    case "allowMissingOrFailed": {
      const kind = requiresType.case === "allowMissing" ? "allow-missing" : "allow-missing-or-failed";
      return { kind, providers: siblings.length > 0 ? siblings : [...providers.values()] };
    }
  }
}

function siblingsIn(list: readonly JwtRequirementMessage[], providers: Providers): readonly JwtProvider[] {
  return list.flatMap(({ requiresType }) => {
    if (requiresType.case === "providerName") return providers.get(requiresType.value) ?? [];
    if (requiresType.case === "providerAndAudiences") {
      return providers.get(requiresType.value.providerName) ?? [];
    }
    return [];
  });
}

/** What allows a missing token is asked last, and once: the more lenient where there are both. */
function optionalLast(requirements: readonly JwtRequirement[]): readonly JwtRequirement[] {
  const isOptional = ({ kind }: JwtRequirement) =>
    kind === "allow-missing" || kind === "allow-missing-or-failed";
  const optional = requirements.filter(isOptional);
  const chosen = optional.find(({ kind }) => kind === "allow-missing-or-failed") ?? optional[0];
  const regular = requirements.filter((one) => !isOptional(one));
  return chosen ? [...regular, chosen] : regular;
}
