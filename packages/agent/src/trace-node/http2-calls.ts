import type { EventEmitter } from "node:events";
import http2 from "node:http2";
import { attempt } from "./attempt.ts";
import { among, current, everyOther, hide, missingIn, type TraceContext, tellIn } from "./trace-context.ts";

type Request = (this: object, headers?: unknown, options?: unknown) => EventEmitter;

/** Requests of HTTP/2 sessions, gRPC's among them, carry the current context on. */
export function followHttp2Calls(): void {
  const seen = new WeakSet<object>();
  const connect = http2.connect as (...args: unknown[]) => object;
  Object.assign(http2, {
    connect: (...args: unknown[]) => {
      const session = connect(...args);
      attempt(() => {
        const prototype = ownerOf(session, "request");
        if (!prototype || seen.has(prototype)) return;
        seen.add(prototype);
        followRequests(prototype as { request: Request });
      });
      return session;
    },
  });
}

function ownerOf(instance: object, method: string): object | undefined {
  let owner: object | null = instance;
  while (owner && !Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner);
  return owner ?? undefined;
}

function followRequests(prototype: { request: Request }): void {
  const original = prototype.request;
  const request: Request = function (headers, options) {
    const context = current.getStore();
    if (!context) return original.call(this, headers, options);
    const stream = original.call(this, attempt(() => withContext(headers, context)) ?? headers, options);
    attempt(() => tellIn(context, stream));
    return stream;
  };
  hide(prototype, "request", request);
}

/** Headers are an object, or a list of names and values in turn. */
function withContext(headers: unknown, context: TraceContext): unknown {
  const isList = Array.isArray(headers);
  const names = isList ? everyOther(headers) : Object.keys((headers as object) ?? {});
  const missing = missingIn(context, among(names));
  return isList
    ? [...headers, ...missing.flat()]
    : { ...(headers as object), ...Object.fromEntries(missing) };
}
