import type { Exchange } from "../layer/exchange.ts";

/** The record of a request, or of a connection without. */
export type Observable = Omit<Exchange, "reply" | "resume">;

/** Told of requests while somebody watches. Must not throw. */
export interface RequestWatcher {
  /** It is on its way to an upstream. */
  onForwarded(exchange: Observable): void;
  /** Its answer begins, an upstream's or one made here. */
  onAnswered(exchange: Observable): void;
  /** It is over; also told of connections without requests. */
  onOver(exchange: Observable): void;
}

/** Keeps some of what is over. Must not throw. */
export interface RequestMemory {
  keep(exchange: Observable): void;
}

/**
 * Who looks at the requests of a process: nobody, unless somebody asked to.
 * All that the request path pays for it then is to see that there is nobody.
 */
export interface Observation {
  watcher: RequestWatcher | undefined;
  memory: RequestMemory | undefined;
}

export function unobserved(): Observation {
  return { watcher: undefined, memory: undefined };
}

/** Tells whoever looks that an exchange is over. */
export function tellOver({ watcher, memory }: Observation, exchange: Observable): void {
  memory?.keep(exchange);
  watcher?.onOver(exchange);
}
