/** Why a connection ended. */
export type CloseCause =
  | { readonly kind: "local" }
  | { readonly kind: "remote" }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

/** Receives what happens on a connection. No call may throw; `onClosed` comes exactly once and last. */
export interface ConnectionHandler {
  /** `bytes[start, end)` is valid during the call only. */
  onRead(bytes: Buffer, start: number, end: number): void;
  /** The peer sends no more. The connection stays open for writing until closed here. */
  onEnd(): void;
  /** `isWritable` became true again. */
  onWritable(): void;
  onClosed(cause: CloseCause): void;
}
