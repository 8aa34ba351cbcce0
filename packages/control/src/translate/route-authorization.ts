import { createHash } from "node:crypto";
import type { Any } from "@bufbuild/protobuf/wkt";
import { RBAC_Action } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb";
import { RBACPerRouteSchema, RBACSchema } from "@weft/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb";
import { ConfigSchema as SetMetadataSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb";
import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import { questionOf } from "./external-authorization.ts";
import { type HttpFilter, httpFilter } from "./http-filter.ts";
import { pack } from "./messages.ts";

/** How filters are named that routes ask for. */
export const routeAuthorizationPrefix = "envoy.filters.http.ext_authz.route.";
/** Where a chain notes which of them it has. */
const noted = "weft.authorizers";
const guardName = "envoy.filters.http.rbac.authorizers";

const names = new WeakMap<AuthorizationProvider, string>();

/** The filter of a route's provider: that of another route where both ask for the same. */
export function routeAuthorizationName(provider: AuthorizationProvider): string {
  let name = names.get(provider);
  if (name === undefined) {
    const hash = createHash("sha256").update(JSON.stringify(provider)).digest("hex").slice(0, 12);
    name = `${routeAuthorizationPrefix}${provider.host}:${provider.port}.${hash}`;
    names.set(provider, name);
  }
  return name;
}

/**
 * The filters that ask these providers about requests of those routes that name
 * them. A route may come to a proxy without them: in a listener that drains, or
 * where a new one was refused. So a guard is in every chain, which lets the
 * requests of such a route through only where its filters were there.
 */
export function routeAuthorization(providers: readonly AuthorizationProvider[]): HttpFilter[] {
  const here = Object.fromEntries(providers.map((provider) => [routeAuthorizationName(provider), true]));
  const note = pack(SetMetadataSchema, { metadata: [{ metadataNamespace: noted, value: here }] });
  return [
    ...(providers.length > 0 ? [httpFilter("envoy.filters.http.set_metadata.authorizers", note)] : []),
    ...providers.map((provider) =>
      inactive(httpFilter(routeAuthorizationName(provider), pack(ExtAuthzSchema, questionOf(provider)))),
    ),
    inactive(httpFilter(guardName, pack(RBACSchema, {}))),
  ];
}

function inactive(filter: HttpFilter): HttpFilter {
  return { ...filter, disabled: true };
}

/** What a route says that asks its providers. */
export function routeQuestions(providers: readonly AuthorizationProvider[]): Record<string, Any> {
  const asks = pack(ExtAuthzPerRouteSchema, { override: { case: "checkSettings", value: {} } });
  const asked = providers.map(routeAuthorizationName);
  return { ...Object.fromEntries(asked.map((name) => [name, asks])), [guardName]: guard(asked) };
}

function guard(asked: readonly string[]): Any {
  const ids = asked.map((name) => ({
    identifier: {
      case: "metadata" as const,
      value: {
        filter: noted,
        path: [{ segment: { case: "key" as const, value: name } }],
        value: { matchPattern: { case: "boolMatch" as const, value: true } },
      },
    },
  }));
  return pack(RBACPerRouteSchema, {
    rbac: {
      rules: {
        action: RBAC_Action.ALLOW,
        policies: {
          "authorizers-are-here": {
            permissions: [{ rule: { case: "any", value: true } }],
            principals: [{ identifier: { case: "andIds", value: { ids } } }],
          },
        },
      },
    },
  });
}
