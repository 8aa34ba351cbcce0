import type { HeaderList } from "../layer/header-list.ts";
import type { RetryPlan } from "../route/retry-plan.ts";
import type { BodyLimit, ForwardAction } from "../route/route-plan.ts";

const nothing: readonly Buffer[] = [];

/**
 * The request body as far as it must be kept: before a connection is there, and
 * for retries while it fits the limit. Beyond the limit the request streams on
 * and is not sent a second time.
 */
export class RequestBody {
  trailers: HeaderList | undefined = undefined;
  isComplete = false;
  readonly #limitBytes: number;
  #isKept: boolean;
  #chunks: Buffer[] | undefined = undefined;
  #keptBytes = 0;
  #seenBytes = 0;

  constructor(limitBytes: number, isKept: boolean) {
    this.#limitBytes = limitBytes;
    this.#isKept = isKept;
  }

  /** Whether no byte of it has been seen so far. */
  get isEmpty(): boolean {
    return this.#seenBytes === 0;
  }

  get chunks(): readonly Buffer[] {
    return this.#chunks ?? nothing;
  }

  /** Whether all that was seen is still here, so that it could be sent again. */
  get isReplayable(): boolean {
    return this.#seenBytes === this.#keptBytes;
  }

  get isFull(): boolean {
    return this.#keptBytes > this.#limitBytes;
  }

  /** `isSent`: the chunk goes out now, and is kept only for a retry. */
  add(chunk: Buffer, end: boolean, isSent: boolean): void {
    this.#seenBytes += chunk.length;
    if (end) this.isComplete = true;
    if (chunk.length === 0) return;
    if (!isSent) this.keep(chunk);
    else if (this.#isKept) {
      this.keep(chunk);
      if (this.isFull) this.#drop();
    }
  }

  keep(chunk: Buffer): void {
    this.#chunks ??= [];
    this.#chunks.push(Buffer.from(chunk));
    this.#keptBytes += chunk.length;
  }

  end(): void {
    this.isComplete = true;
  }

  endWith(trailers: HeaderList): void {
    this.isComplete = true;
    this.trailers = trailers;
  }

  /** Everything kept has been handed to a connection. */
  sent(): void {
    if (!this.#isKept || this.isFull) this.#drop();
  }

  #drop(): void {
    this.#isKept = false;
    this.#chunks = undefined;
    this.#keptBytes = 0;
  }
}

/** The body of a call, kept for as long as it may have to be sent again. */
export function bodyFor(
  { bodyLimit, internalRedirect }: ForwardAction,
  retry: RetryPlan | undefined,
  listenerBytes: number,
): RequestBody {
  const isKept = (retry !== undefined && retry.numRetries > 0) || internalRedirect !== undefined;
  return new RequestBody(bodyLimitBytes(bodyLimit, listenerBytes), isKept);
}

/** How much of a body is kept, by the route's word and the listener's. */
function bodyLimitBytes(limit: BodyLimit | undefined, listenerBytes: number): number {
  if (!limit) return listenerBytes;
  return limit.replacesListeners ? limit.bytes : Math.min(limit.bytes, listenerBytes);
}
