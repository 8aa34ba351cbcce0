import type { Clock } from "@weft/base/clock";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { SessionState } from "./session-state.ts";

/** @see envoy.extensions.filters.http.stateful_session.v3.StatefulSession */
export interface SessionPlan {
  /** Undefined: requests are not bound to endpoints. */
  readonly state: SessionState | undefined;
  /** A request whose endpoint is not there, or not well, is refused rather than sent to another. */
  readonly isStrict: boolean;
}

interface Session {
  readonly state: SessionState;
  readonly address: string | undefined;
}

/**
 * Keeps the requests of a session at the endpoint that answered the first of
 * them, which the client carries from one to the next. Of a route, the plan
 * under the filter's name replaces the filter's own.
 */
export function createStatefulSessionFilter(
  own: SessionPlan,
  clock: Pick<Clock, "now">,
  name: string,
): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { state, isStrict } = routeConfigOf<SessionPlan>(exchange, name) ?? own;
      const request = exchange.request!;
      if (!state?.covers(request)) return "continue";
      const address = state.find(request, clock.now());
      if (address !== undefined) exchange.boundTo = { address, isStrict };
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, { state, address } satisfies Session);
      return "continue";
    },
    onResponse({ endpoint, filterState, response }) {
      const session = filterState?.get(name) as Session | undefined;
      if (session && endpoint && endpoint.addressText !== session.address) {
        session.state.tell(response!.headers, endpoint.addressText, clock.now());
      }
      return "continue";
    },
  };
}
