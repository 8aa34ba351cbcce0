import {
  type StatefulSession,
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb";
import type { CookieBasedSessionState } from "@weft/xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb";
import type { HeaderBasedSessionState } from "@weft/xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb";
import { cookieSession, headerSession, type SessionState } from "../../filters/session-state.ts";
import { createStatefulSessionFilter, type SessionPlan } from "../../filters/stateful-session.ts";
import { durationMs } from "../decode-values.ts";
import { unpackAny } from "../extension-registry.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const statefulSessionFilter = httpFilterType(
  StatefulSessionSchema,
  (message, { name, path }, { issues, services }) =>
    createStatefulSessionFilter(decodePlan(message, path, issues), services.clock, name),
  routeConfigType(StatefulSessionPerRouteSchema, ({ override }, path, { issues }): SessionPlan => {
    if (override.case === "statefulSession") {
      return decodePlan(override.value, at(path, "stateful_session"), issues);
    }
    if (!override.value) issues.add(path, "needs `disabled: true` or `stateful_session`");
    return unbound;
  }),
);

const unbound: SessionPlan = { state: undefined, isStrict: false };

function decodePlan({ sessionState, strict }: StatefulSession, path: string, issues: Issues): SessionPlan {
  if (!sessionState) return { ...unbound, isStrict: strict };
  const place = at(path, "session_state");
  const { typedConfig } = sessionState;
  const config = typedConfig && unpackAny(typedConfig);
  switch (config?.$typeName) {
    case "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState":
      return { state: decodeCookie(config as CookieBasedSessionState, place, issues), isStrict: strict };
    case "envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState": {
      const { name } = config as HeaderBasedSessionState;
      if (name === "") issues.add(at(place, "typed_config.name"), "is empty", "name the header");
      return { state: headerSession(name), isStrict: strict };
    }
    default:
      issues.add(
        place,
        `${sessionState.name} is not implemented by this proxy`,
        "use CookieBasedSessionState or HeaderBasedSessionState",
      );
      return unbound;
  }
}

function decodeCookie({ cookie }: CookieBasedSessionState, path: string, issues: Issues): SessionState {
  const place = at(path, "typed_config.cookie");
  if (!cookie) issues.add(place, "is not set");
  const { name = "", ttl, path: covered = "", attributes = [] } = cookie ?? {};
  if (cookie && name === "") issues.add(at(place, "name"), "is empty", "name the cookie");
  const ttlSeconds = Math.floor(durationMs(ttl, 0) / 1000);
  if (ttlSeconds < 0) issues.add(at(place, "ttl"), "is below 0");
  return cookieSession({
    name,
    ttlSeconds: Math.max(ttlSeconds, 0),
    path: covered,
    attributes: attributes.map((attribute) => [attribute.name, attribute.value] as const),
  });
}
