import type { Timers } from "./timers.ts";

export interface ConnectionOptions {
  readonly timers: Timers;
  /** More unsent bytes than this make the connection unwritable; half of it makes it writable again. */
  readonly bufferLimitBytes: number;
  /** Called with anything a handler throws; the connection is closed. */
  readonly onFault?: (error: unknown) => void;
  /** For tests: use the socket's stream interface although the handle could be driven directly. */
  readonly isPortable?: boolean;
  /** It was open for a while before this: what came then, its end included, was read by the socket itself. */
  readonly hasWaited?: boolean;
}
