import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";
import { attempt } from "./attempt.ts";

/** What a request that came in says of its trace, to be said by those that are made on its account. */
export type TraceContext = readonly (readonly [name: string, value: string])[];

/** The context of whatever runs now; undefined: nothing that came in asked for it, or it said nothing. */
export const current = new AsyncLocalStorage<TraceContext | undefined>();

/** Those of one trace: who sets one of them has a trace of its own, and is left alone. */
const traceNames = [
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
] as const;
const requestIdName = "x-request-id";
/** A longer value is nothing that a proxy would read. */
const maxValueLength = 2_048;

/** Header names in small letters, as Node gives them. */
export function readContext(headers: Readonly<Record<string, unknown>>): TraceContext | undefined {
  const found: [string, string][] = [];
  for (const name of [...traceNames, requestIdName]) {
    const value = headers[name];
    if (typeof value === "string" && value !== "" && value.length <= maxValueLength) {
      found.push([name, value]);
    }
  }
  return found.length > 0 ? found : undefined;
}

/** What of `context` a request is to be given that `has` these header names already. */
export function missingIn(context: TraceContext, has: (name: string) => boolean): TraceContext {
  const isTraced = traceNames.some(has);
  return context.filter(([name]) => (name === requestIdName ? !has(name) : !isTraced));
}

/** Whether a header is among `names`, whatever their letters' case. */
export function among(names: readonly unknown[]): (name: string) => boolean {
  const known = new Set(names.map((name) => String(name).trim().toLowerCase()));
  return (name) => known.has(name);
}

/** The names of a list of names and values in turn. */
export function everyOther(list: readonly unknown[]): readonly unknown[] {
  return list.filter((_, i) => i % 2 === 0);
}

/**
 * Whatever is told of `emitter` from now on is told in `context`, and so is
 * whatever is told of what the event `bringing` brings. The
 * sockets beneath are shared by many requests, and so is what they remember.
 */
export function tellIn(context: TraceContext, emitter: EventEmitter, bringing?: string): void {
  const { emit } = emitter;
  hide(emitter, "emit", function (this: EventEmitter, ...args: Parameters<typeof emit>): boolean {
    if (args[0] === bringing) attempt(() => tellIn(context, args[1] as EventEmitter));
    return current.run(context, () => emit.apply(this, args));
  });
}

/** Sets a method as classes have theirs: not seen by who lists the properties. */
export function hide(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: false });
}
