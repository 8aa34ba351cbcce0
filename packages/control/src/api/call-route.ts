import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { apiErrorOf, parseAnswer } from "./api-error.ts";
import type { ApiEndpoint } from "./endpoint.ts";
import type { Route, StreamRoute } from "./route.ts";
import type { Admitted, Shape } from "./schema.ts";

/** What a route is called with; what it has none of is left out. */
export interface CallInput<P, Q, B> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Sent as `If-Match`. */
  readonly ifRevision?: number;
}

type AnyDefinition = Pick<Route, "method" | "path">;

/**
 * Calls one operation as its route describes it. Every failure is a `UserError`:
 * an `ApiError` where the control plane refused, else what the endpoint makes of it.
 *
 * @param timeoutMs longest wait for the next byte
 */
export async function callRoute<P extends Shape, Q extends Shape, B, A>(
  endpoint: ApiEndpoint,
  route: Route<P, Q, B, A>,
  input: CallInput<Admitted<P>, Admitted<Q>, B>,
  timeoutMs: number,
): Promise<A> {
  const response = await open(endpoint, route as unknown as AnyDefinition, input, timeoutMs);
  return parseAnswer(await readAll(endpoint, response)) as A;
}

/** The values of a stream as they come. Ending the iteration ends the request, as aborting the signal does. */
export async function* streamRouteValues<P extends Shape, Q extends Shape, B, A>(
  endpoint: ApiEndpoint,
  route: StreamRoute<P, Q, B, A>,
  input: CallInput<Admitted<P>, Admitted<Q>, B>,
  signal?: AbortSignal,
): AsyncGenerator<A, void, undefined> {
  const response = await open(endpoint, route as unknown as AnyDefinition, input, 0, signal);
  try {
    for await (const line of createInterface({ input: response })) {
      if (line !== "") yield parseAnswer(line) as A;
    }
  } catch (error) {
    if (!signal?.aborted) throw endpoint.explain(error as NodeJS.ErrnoException);
  } finally {
    response.destroy();
  }
}

/** Resolves with an answer that is 2xx. */
async function open(
  endpoint: ApiEndpoint,
  { method, path }: AnyDefinition,
  { params = {}, query = {}, body, ifRevision }: CallInput<object, object, unknown>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const sent = endpoint.open({
    method,
    path: pathOf(path, params as Readonly<Record<string, unknown>>) + queryOf(query),
    timeout: timeoutMs,
    signal,
    headers: {
      ...(payload !== undefined && {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(payload),
      }),
      ...(ifRevision !== undefined && { "if-match": `"${ifRevision}"` }),
    },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.on("response", resolve);
    sent.on("timeout", () =>
      sent.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
    );
    sent.on("error", (error) => reject(endpoint.explain(error)));
    sent.end(payload);
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw apiErrorOf(status, await readAll(endpoint, response));
}

async function readAll(endpoint: ApiEndpoint, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw endpoint.explain(error as NodeJS.ErrnoException);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function pathOf(path: string, params: Readonly<Record<string, unknown>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

function queryOf(values: object): string {
  const pairs = Object.entries(values).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    return Array.isArray(value) ? value.map((one) => [name, String(one)]) : [[name, String(value)]];
  });
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}
