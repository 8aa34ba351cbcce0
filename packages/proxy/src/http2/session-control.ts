/** What the parts of an HTTP/2 session ask of the whole. */
export interface SessionControl {
  readonly isClosed: boolean;
  /** The highest stream either side has begun; what lies beyond is idle. */
  readonly lastStreamId: number;
  /** Ends the connection for an error of the peer's. */
  fail(code: number, details: string): void;
  violation(): void;
  flood(what: string): void;
  frameSizeError(): void;
}
