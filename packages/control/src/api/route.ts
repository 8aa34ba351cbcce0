import type { ApiBackend } from "./backend.ts";
import type { Caller } from "./caller.ts";
import type { Role } from "./role.ts";
import type { Admitted, Schema, Shape } from "./schema.ts";

/** What a handler gets: checked against the route's schemas, by a caller who may. */
export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Of `If-Match`: the revision that the caller has seen. Only where the route takes it. */
  readonly ifRevision: number | undefined;
  readonly caller: Caller;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
  /** Where the caller reached this API: `https://mesh.example:15443`; undefined on the Unix socket. */
  readonly origin: string | undefined;
}

interface RouteBase<P extends Shape, Q extends Shape, B, A> {
  /** Unique: OpenAPI's operationId, and what the audit log calls the attempt. */
  readonly id: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** With `{name}` for each of `params`; a part never spans a slash. */
  readonly path: `/${string}`;
  /** Everything that changes something needs `write` or `admin`, and is audited. */
  readonly role: Role;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: Schema<B>;
  readonly answer: Schema<A>;
  /** Longest body, in bytes. Default 64 KiB. */
  readonly maxBodyBytes?: number;
  /** What it changes writes its own entry into the audit log; else the server writes one when it is done. */
  readonly isRecorded?: true;
  /** Takes `If-Match`, and answers 412 when what it changes was changed after that revision. */
  readonly takesIfMatch?: true;
}

/** One operation of the API. */
export interface Route<P extends Shape = Shape, Q extends Shape = Shape, B = unknown, A = unknown>
  extends RouteBase<P, Q, B, A> {
  readonly isStream?: undefined;
  /** The revision that the answer shows, for its `ETag`. */
  etag?(answer: A): number | undefined;
  handle(backend: ApiBackend, input: RouteInput<Admitted<P>, Admitted<Q>, B>): A | Promise<A>;
}

/**
 * One that answers with lines of JSON, one value each, until it ends or the
 * caller goes. The next value is asked for when the last one has left: what may
 * wait for a slow reader is bounded by whoever makes the values.
 */
export interface StreamRoute<P extends Shape = Shape, Q extends Shape = Shape, B = unknown, A = unknown>
  extends RouteBase<P, Q, B, A> {
  readonly isStream: true;
  handle(backend: ApiBackend, input: RouteInput<Admitted<P>, Admitted<Q>, B>): AsyncIterable<A>;
}

export type AnyRoute = Route | StreamRoute;

// biome-ignore lint/complexity/noBannedTypes: no parameters are an empty shape
type None = {};

export function route<P extends Shape = None, Q extends Shape = None, B = undefined, A = unknown>(
  definition: Route<P, Q, B, A>,
): Route<P, Q, B, A> {
  return definition;
}

export function streamRoute<P extends Shape = None, Q extends Shape = None, B = undefined, A = unknown>(
  definition: Omit<StreamRoute<P, Q, B, A>, "isStream">,
): StreamRoute<P, Q, B, A> {
  return { ...definition, isStream: true };
}
