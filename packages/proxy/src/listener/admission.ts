import type { Socket } from "node:net";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";

/**
 * Asks the filters of a chain, in their order, whether a connection is served.
 * Those that ask others are waited for: nothing of the connection is read
 * meanwhile, and a client that leaves ends the question.
 */
export class Admission {
  readonly #filters: readonly NetworkFilter[];
  readonly #connection: DownstreamConnection;
  readonly #socket: Socket;
  readonly #onDecided: (refusing: NetworkFilter | undefined) => void;
  #question: { cancel(): void } | undefined;
  #isOver = false;

  /** @param onDecided told the filter that refuses, or undefined when all let it in; not called once `end` was */
  constructor(
    filters: readonly NetworkFilter[],
    connection: DownstreamConnection,
    socket: Socket,
    onDecided: (refusing: NetworkFilter | undefined) => void,
  ) {
    this.#filters = filters;
    this.#connection = connection;
    this.#socket = socket;
    this.#onDecided = onDecided;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  start(): void {
    this.#run(0);
    if (!this.#isOver) this.#socket.once("close", () => this.end());
  }

  /** Ends the connection where nothing has been decided yet. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#question?.cancel();
    this.#socket.destroy();
  }

  #run(first: number): void {
    for (let i = first; i < this.#filters.length; i++) {
      const filter = this.#filters[i]!;
      if (!filter.onConnection(this.#connection)) {
        this.#decide(filter);
        return;
      }
      if (filter.onDisconnect) {
        this.#socket.once("close", () => filter.onDisconnect!(this.#connection));
      }
      if (filter.ask && this.#asks(filter, i)) return;
    }
    this.#decide(undefined);
  }

  /** Whether the answer is waited for, or was no. */
  #asks(filter: NetworkFilter, index: number): boolean {
    let answer: boolean | undefined;
    let isLater = false;
    const question = filter.ask!(this.#connection, (isAllowed) => {
      if (this.#isOver || answer !== undefined) return;
      answer = isAllowed;
      this.#question = undefined;
      if (!isAllowed) this.#decide(filter);
      else if (isLater) this.#run(index + 1);
    });
    isLater = true;
    if (answer === undefined && question) {
      this.#question = question;
      return true;
    }
    return answer === false;
  }

  #decide(refusing: NetworkFilter | undefined): void {
    this.#isOver = true;
    this.#onDecided(refusing);
  }
}

/** The filter that refuses the connection; undefined when all let it in. For filters none of which asks. */
export function admit(
  filters: readonly NetworkFilter[],
  connection: DownstreamConnection,
  socket: Socket,
): NetworkFilter | undefined {
  for (const filter of filters) {
    if (!filter.onConnection(connection)) return filter;
    if (filter.onDisconnect) socket.once("close", () => filter.onDisconnect!(connection));
  }
  return undefined;
}

/** Asks about a connection that is being served under other rules; it goes on until somebody refuses it. */
export function askAgain(
  filters: readonly NetworkFilter[],
  connection: DownstreamConnection,
  onRefused: () => void,
): void {
  for (const filter of filters) {
    filter.ask?.(connection, (isAllowed) => {
      if (!isAllowed) onRefused();
    });
  }
}
