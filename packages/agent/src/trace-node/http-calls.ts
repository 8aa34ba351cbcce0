import http, { type ClientRequest } from "node:http";
import https from "node:https";
import { attempt } from "./attempt.ts";
import { among, current, everyOther, hide, missingIn, type TraceContext, tellIn } from "./trace-context.ts";

type Request = (...args: unknown[]) => ClientRequest;

/** `request` and `get` of `node:http` and `node:https` carry the current context on. */
export function followHttpCalls(): void {
  for (const module of [http, https] as const) {
    const original = module.request as Request;
    const request: Request = (...args) => {
      const context = current.getStore();
      if (!context) return original(...args);
      const call = original(...(attempt(() => withHeadersInTime(args, context)) ?? args));
      attempt(() => follow(call, context));
      return call;
    };
    const get: Request = (...args) => {
      const call = request(...args);
      call.end();
      return call;
    };
    hide(request, "name", "request");
    hide(get, "name", "get");
    Object.assign(module, { request, get });
  }
}

function follow(call: ClientRequest, context: TraceContext): void {
  if (!call.headersSent) {
    for (const [name, value] of missingIn(context, (name) => call.hasHeader(name))) {
      call.setHeader(name, value);
    }
  }
  tellIn(context, call, "response");
}

type Options = { readonly headers?: unknown };

/**
 * The arguments with the context in them, where a call is written as soon as it
 * is made: its headers are a list, or it expects to be told to continue.
 */
function withHeadersInTime(args: readonly unknown[], context: TraceContext): readonly unknown[] {
  const at = typeof args[0] === "string" || args[0] instanceof URL ? 1 : 0;
  const options = args[at] as Options | null | undefined;
  if (typeof options !== "object" || !options?.headers) return args;
  const headers = headersInTime(options.headers, context);
  return headers ? args.map((arg, i) => (i === at ? { ...options, headers } : arg)) : args;
}

function headersInTime(headers: unknown, context: TraceContext): unknown {
  if (Array.isArray(headers)) {
    const isPairs = Array.isArray(headers[0]);
    const names = isPairs ? headers.map(([name]) => name) : everyOther(headers);
    const missing = missingIn(context, among(names));
    return [...headers, ...(isPairs ? missing : missing.flat())];
  }
  const names = Object.keys(headers as object);
  if (!among(names)("expect")) return undefined;
  return { ...(headers as object), ...Object.fromEntries(missingIn(context, among(names))) };
}
