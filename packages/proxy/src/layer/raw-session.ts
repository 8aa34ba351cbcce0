/** A connection being served that is not HTTP. */
export interface RawSession {
  /** `initial` has been read already. */
  start(initial: Buffer): void;
  /** Ends it now. */
  destroy(): void;
}
