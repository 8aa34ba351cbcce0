import { routeConfigOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";

/** What a route says about buffering: another limit in bytes, or not to. */
export type BufferRouteConfig = number | "disabled";

/**
 * Sends a request on only when all of it is here, with its length: for services
 * that cannot take requests in parts. More than `maxBytes` is refused with 413.
 * Upgraded connections are never complete and pass.
 *
 * @see envoy.extensions.filters.http.buffer.v3.Buffer
 */
export function createBufferFilter(maxBytes: number, name: string): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const request = exchange.request!;
      const config = routeConfigOf<BufferRouteConfig>(exchange, name);
      if (config === "disabled" || request.upgrade !== "" || !exchange.hasRequestBody) return "continue";
      exchange.bufferRequest(config ?? maxBytes, (body, isComplete) => {
        if (!isComplete) {
          // Counted by the connection manager, by these details.
          exchange.reply(413, "Payload Too Large", "request_payload_too_large");
          return;
        }
        if (!request.headers.has("content-length")) {
          const length = body.reduce((sum, chunk) => sum + chunk.length, 0);
          request.headers.append("content-length", `${length}`);
        }
        exchange.resume();
      });
      return "stop";
    },
  };
}
