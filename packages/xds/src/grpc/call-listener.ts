/** What a call's handler is told. Nothing is told after `onClose`. */
export interface CallListener {
  onMessage(message: Uint8Array): void;
  /** The client has said all it will say. */
  onHalfClose(): void;
  /** What was written has been taken: more may be written. */
  onDrain?(): void;
  /** The call is over, for whatever reason. Called exactly once. */
  onClose(): void;
}
