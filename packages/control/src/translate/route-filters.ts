import type { Any } from "@bufbuild/protobuf/wkt";
import { CorsPolicySchema } from "@weft/xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb";
import { HTTPFaultSchema } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import { StatefulSessionPerRouteSchema } from "@weft/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb";
import { CookieBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb";
import { HeaderBasedSessionStateSchema } from "@weft/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb";
import type { AbortError, Cors, Fault, HttpRoute, SessionCarrier } from "../model/routing.ts";
import { duration, fraction, pack } from "./messages.ts";
import { routeQuestions } from "./route-authorization.ts";
import { stringMatch } from "./string-match.ts";

/** The filters of every caller's chain that only act where a route configures them, in their order. */
export const routeFilterNames = {
  fault: "envoy.filters.http.fault",
  cors: "envoy.filters.http.cors",
  session: "envoy.filters.http.stateful_session",
} as const;

/** What a route asks of the filters before it: its `typed_per_filter_config`. */
export function routeFilters(
  route: Pick<HttpRoute, "authorizers" | "cors" | "fault" | "session">,
): Record<string, Any> {
  return {
    ...(route.fault ? { [routeFilterNames.fault]: fault(route.fault) } : {}),
    ...(route.cors ? { [routeFilterNames.cors]: cors(route.cors) } : {}),
    ...(route.authorizers ? routeQuestions(route.authorizers) : {}),
    ...(route.session ? { [routeFilterNames.session]: session(route.session) } : {}),
  };
}

/** An endpoint that is gone is no reason to refuse a request: its session begins again. */
function session(carrier: SessionCarrier): Any {
  const sessionState =
    carrier.kind === "header"
      ? {
          name: "envoy.http.stateful_session.header",
          typedConfig: pack(HeaderBasedSessionStateSchema, { name: carrier.name }),
        }
      : {
          name: "envoy.http.stateful_session.cookie",
          typedConfig: pack(CookieBasedSessionStateSchema, {
            cookie: {
              name: carrier.name,
              path: carrier.path,
              ...(carrier.lifetimeMs === undefined ? {} : { ttl: duration(carrier.lifetimeMs) }),
            },
          }),
        };
  return pack(StatefulSessionPerRouteSchema, {
    override: { case: "statefulSession", value: { sessionState } },
  });
}

function fault({ delay, abort }: Fault): Any {
  return pack(HTTPFaultSchema, {
    ...(delay
      ? {
          delay: {
            faultDelaySecifier: { case: "fixedDelay" as const, value: duration(delay.fixedMs) },
            percentage: fraction(delay.percent),
          },
        }
      : {}),
    ...(abort
      ? {
          abort: {
            errorType: abortType(abort.error),
            percentage: fraction(abort.percent),
          },
        }
      : {}),
  });
}

function abortType(error: AbortError) {
  return "grpcStatus" in error
    ? { case: "grpcStatus" as const, value: error.grpcStatus }
    : { case: "httpStatus" as const, value: error.httpStatus };
}

/** Without a list of its own a route adds no header about it, as in Envoy. */
function cors(policy: Cors): Any {
  const { maxAgeSeconds } = policy;
  return pack(CorsPolicySchema, {
    allowOriginStringMatch: policy.origins.map(stringMatch),
    allowMethods: policy.methods.join(","),
    allowHeaders: policy.headers.join(","),
    exposeHeaders: policy.exposedHeaders.join(","),
    ...(maxAgeSeconds === undefined ? {} : { maxAge: String(maxAgeSeconds) }),
    allowCredentials: policy.allowsCredentials,
    filterEnabled: { defaultValue: fraction(100) },
    forwardNotMatchingPreflights: policy.forwardsUnmatchedPreflights,
  });
}
