import type { Exchange } from "../layer/exchange.ts";
import type { RequestHead } from "../layer/message.ts";

/** As `RequestPredicate`, of a request and what came with it. Without a source nothing did. */
export type RoutePredicate = (request: RequestHead, source: RouteSource | undefined) => boolean;

/** What a route may ask about beside the request's head. */
export type RouteSource = Exchange;
