import type { HeaderList } from "./header-list.ts";

/** A request head, the same whatever protocol carried it. `headers` holds no pseudo-header and no `host`. */
export interface RequestHead {
  method: string;
  /** Path with query, as sent; normalised before any policy reads it. Empty only for CONNECT. */
  path: string;
  /** `:authority` or `Host`. */
  authority: string;
  scheme: "http" | "https";
  readonly headers: HeaderList;
  /** The protocol the client asks to switch to, in lower case (`websocket`, `connect` for CONNECT); "" for ordinary requests. */
  readonly upgrade: string;
}

export interface ResponseHead {
  status: number;
  readonly headers: HeaderList;
}
