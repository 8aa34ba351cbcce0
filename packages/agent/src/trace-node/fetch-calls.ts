import { channel } from "node:diagnostics_channel";
import { attempt } from "./attempt.ts";
import { among, current, everyOther, missingIn } from "./trace-context.ts";

/** A request of undici: the `fetch` that Node has, and the library of its own. */
interface UndiciRequest {
  /** Lines, or names and values in turn. */
  readonly headers: string | readonly unknown[];
  addHeader(name: string, value: string): unknown;
}

/** Kept: a channel that nobody holds is forgotten with its subscribers. */
const created = channel("undici:request:create");

/** `fetch`, and whatever else is made of undici, carries the current context on. */
export function followFetch(): void {
  created.subscribe((message) => {
    const context = current.getStore();
    if (!context) return;
    attempt(() => {
      const { request } = message as { readonly request: UndiciRequest };
      for (const [name, value] of missingIn(context, among(namesOf(request.headers)))) {
        request.addHeader(name, value);
      }
    });
  });
}

function namesOf(headers: UndiciRequest["headers"]): readonly unknown[] {
  if (typeof headers !== "string") return everyOther(headers);
  return headers.split("\r\n").map((line) => line.slice(0, Math.max(line.indexOf(":"), 0)));
}
