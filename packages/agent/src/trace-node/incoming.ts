import type { EventEmitter } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { attempt } from "./attempt.ts";
import { current, hide, readContext, type TraceContext, tellIn } from "./trace-context.ts";

/** What a server tells of a request, and which of its arguments has the headers. */
const requestEvents: ReadonlySet<unknown> = new Set([
  "request",
  "checkContinue",
  "checkExpectation",
  "connect",
  "upgrade",
  "stream",
]);

type Emit = (this: EventEmitter, event: string | symbol, ...args: unknown[]) => boolean;
type WithHeaders = { readonly headers?: Readonly<Record<string, unknown>> } | undefined;

/** Every server's requests are handled in the context they came with. */
export function followServers(): void {
  followServersOf(http.Server.prototype);
  followServersOf(https.Server.prototype);
  // Its classes are nobody's to see but by their instances.
  const seen = new WeakSet<object>();
  for (const name of ["createServer", "createSecureServer"] as const) {
    const create = http2[name] as (...args: unknown[]) => EventEmitter;
    Object.assign(http2, {
      [name]: (...args: unknown[]) => {
        const server = create(...args);
        attempt(() => {
          const prototype = Object.getPrototypeOf(server);
          if (seen.has(prototype)) return;
          seen.add(prototype);
          followServersOf(prototype);
        });
        return server;
      },
    });
  }
}

function followServersOf(prototype: object): void {
  const own = Object.hasOwn(prototype, "emit") ? (prototype as { emit: Emit }).emit : undefined;
  const emit: Emit = function (event, ...args) {
    // Looked up each time: others replace it too.
    const original = own ?? (Object.getPrototypeOf(prototype) as { emit: Emit }).emit;
    if (!requestEvents.has(event)) return original.call(this, event, ...args);
    const context = attempt(() => contextOf(event === "stream" ? { headers: args[1] } : args[0]));
    if (context) attempt(() => tellAll(context, event, args));
    return current.run(context, () => original.call(this, event, ...args));
  };
  hide(prototype, "emit", emit);
}

function contextOf(request: unknown): TraceContext | undefined {
  const { headers } = (request as WithHeaders) ?? {};
  return headers && readContext(headers);
}

/** The request and its answer, or the stream. What an upgrade makes of the connection outlives the request. */
function tellAll(context: TraceContext, event: unknown, args: readonly unknown[]): void {
  tellIn(context, args[0] as EventEmitter);
  const hasAnswer = event !== "stream" && event !== "upgrade" && event !== "connect";
  if (hasAnswer) tellIn(context, args[1] as EventEmitter);
}
