import type { Exchange } from "../layer/exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";

/** Where copies of requests go, and how they differ. @see envoy.config.route.v3.RouteAction.RequestMirrorPolicy */
export interface MirrorPlan {
  /** The cluster's name; undefined where the request names none. */
  clusterOf(request: RequestHead): string | undefined;
  /** Share of requests, 0 to 1. */
  readonly fraction: number;
  /** Adds `-shadow` to the host, so that logs tell copies apart; not to one of its own. */
  readonly marksHost: boolean;
  /** The authority to send instead. */
  readonly authority: string | undefined;
  /** `trace_sampled` false: the copy is no part of a sampled trace. */
  readonly isTraceSampled?: boolean;
  readonly mutate: ((headers: HeaderList, exchange: Exchange) => void) | undefined;
}
