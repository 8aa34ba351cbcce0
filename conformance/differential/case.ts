import type { ClientTls } from "./identities.ts";

/** What the recording upstream does with one request. */
export interface Answer {
  readonly status: number;
  /** `name: value` lines. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Exact bytes of an HTTP/1 answer, in place of all the above. */
  readonly raw: string | undefined;
  /** What becomes of the connection once that is sent. */
  readonly afterwards: "keep" | "close" | "reset" | "silence";
  /** With which an HTTP/2 stream is reset. @see RFC 9113 §7 */
  readonly resetCode: number;
  /** Answers as soon as the head is there. */
  readonly isEarly: boolean;
  /** After the answer, every byte comes back. */
  readonly echoes: boolean;
}

/** A request over HTTP/2: field lines, pseudo-header fields among them, exactly as sent. */
export interface Http2Request {
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly data: readonly string[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

/** One exchange that both proxies are put through. */
export interface Case {
  /** Unique in the suite: `area: what happens`. */
  readonly name: string;
  readonly listener: string;
  readonly tls: ClientTls;
  /** Bytes for an HTTP/1 connection; each piece after the first follows new bytes from the proxy. */
  readonly pieces: readonly string[];
  readonly http2: Http2Request | undefined;
  /** Answers to the requests that reach the upstream, in order; the last of `always` goes on for ever. */
  readonly answers: readonly Answer[];
  readonly repeatsLastAnswer: boolean;
  /** The exchange is over once the answer contains this; by default once every request has an answer. */
  readonly until: string | undefined;
  /** How many final answers are expected; counted in the bytes where it is not given. */
  readonly answerCount: number | undefined;
  /** The proxy must close the connection by itself before the exchange is over. */
  readonly awaitsClose: boolean;
}

/** Cases of one area of behaviour, against one configuration. */
export interface Area {
  readonly name: string;
  readonly config: string;
  /** Cases run side by side and carry `x-case`, so that waiting for timers does not add up. */
  readonly isParallel: boolean;
  readonly cases: readonly Case[];
}
