import type { HttpFilter } from "../layer/http-filter.ts";

/** @see envoy.extensions.filters.http.router.v3.Router */
export interface RouterPlan {
  /** Leaves out `x-envoy-upstream-service-time`, `x-envoy-expected-rq-timeout-ms` and the like. */
  readonly suppressEnvoyHeaders: boolean;
  /** `respect_expected_rq_timeout`: the timeout the proxy before announced is this one's too. */
  readonly respectsExpectedTimeout?: boolean;
  /** `start_child_span`: each attempt is a span of its own. */
  readonly startsChildSpan?: boolean;
}

/** The terminal filter as it stands in `HttpConnectionPlan.filters`. */
export interface RouterFilter extends HttpFilter {
  readonly router: RouterPlan;
}

export const routerFilterName = "envoy.filters.http.router";

/**
 * Marks the end of a filter chain. It holds configuration only: the runtime
 * that owns clusters, pools and time does the forwarding once every filter
 * before it has said "continue".
 */
export function routerFilter(router: RouterPlan): RouterFilter {
  return { name: routerFilterName, router };
}

export function isRouterFilter(filter: HttpFilter): filter is RouterFilter {
  return filter.name === routerFilterName;
}
