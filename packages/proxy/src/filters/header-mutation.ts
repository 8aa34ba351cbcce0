import type { BodySink, BodyStage } from "../layer/body-stage.ts";
import type { Exchange } from "../layer/exchange.ts";
import { routeLevelsOf } from "../layer/filter-chain.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";

/** Edits fields in the way and order it was made for. */
export type HeaderMutator = (headers: HeaderList, exchange: Exchange) => void;

/** One level's mutations; undefined where there are none. @see envoy.extensions.filters.http.header_mutation.v3.Mutations */
export interface Mutations {
  readonly request: HeaderMutator | undefined;
  readonly requestTrailers: HeaderMutator | undefined;
  readonly response: HeaderMutator | undefined;
  readonly responseTrailers: HeaderMutator | undefined;
  /** Gives the path with other query parameters. */
  readonly query: ((path: string, exchange: Exchange) => string) | undefined;
}

/**
 * Edits headers, trailers and query parameters as configured: the filter's own
 * mutations first, then those of table, virtual host and route, the most
 * specific last when it shall win, and first otherwise.
 */
export function createHeaderMutationFilter(
  own: Mutations | undefined,
  mostSpecificWins: boolean,
  name: string,
): HttpFilter {
  const ownList = own ? [own] : [];
  const ordered = new WeakMap<readonly Mutations[], readonly Mutations[]>();

  function levelsOf(exchange: Exchange): readonly Mutations[] {
    const levels = routeLevelsOf<Mutations>(exchange, name);
    if (!levels) return ownList;
    let list = ordered.get(levels);
    if (!list) {
      list = [...ownList, ...(mostSpecificWins ? levels : levels.toReversed())];
      ordered.set(levels, list);
    }
    return list;
  }

  return {
    name,
    onRequest(exchange) {
      const request = exchange.request!;
      const levels = levelsOf(exchange);
      let hasTrailerMutations = false;
      for (const { request: mutate, query, requestTrailers } of levels) {
        mutate?.(request.headers, exchange);
        if (query) request.path = query(request.path, exchange);
        if (requestTrailers) hasTrailerMutations = true;
      }
      if (hasTrailerMutations) {
        exchange.addRequestStage(
          new TrailerStage((trailers) => {
            for (const level of levels) level.requestTrailers?.(trailers, exchange);
          }),
        );
      }
      return "continue";
    },
    onResponse(exchange, end) {
      const levels = levelsOf(exchange);
      let hasTrailerMutations = false;
      for (const { response: mutate, responseTrailers } of levels) {
        mutate?.(exchange.response!.headers, exchange);
        if (responseTrailers) hasTrailerMutations = true;
      }
      if (hasTrailerMutations && !end) {
        exchange.addResponseStage(
          new TrailerStage((trailers) => {
            for (const level of levels) level.responseTrailers?.(trailers, exchange);
          }),
        );
      }
      return "continue";
    },
  };
}

/** Lets data pass and edits the trailers behind it. */
class TrailerStage implements BodyStage {
  next!: BodySink;
  readonly #edit: (trailers: HeaderList) => void;

  constructor(edit: (trailers: HeaderList) => void) {
    this.#edit = edit;
  }

  onData(chunk: Buffer, end: boolean): void {
    this.next.onData(chunk, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#edit(trailers);
    this.next.onTrailers(trailers);
  }
}
