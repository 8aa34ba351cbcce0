import type { HeaderList } from "./header-list.ts";
import type { HttpExchange } from "./http-exchange.ts";
import type { ServerStream } from "./stream.ts";

/** Told when an exchange is over, so that its connection can go on. */
export interface ExchangeOwner {
  onExchangeOver(exchange: HttpExchange): void;
  /** It is over, and its request goes on as another on the same stream. */
  onRedirected(exchange: HttpExchange, stream: ServerStream, body: KeptBody): void;
}

/** The body of a request that was complete when its answer came. */
export interface KeptBody {
  readonly chunks: readonly Buffer[];
  readonly trailers: HeaderList | undefined;
}
