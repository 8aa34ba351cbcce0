import { type IncomingHttpHeaders, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface JsonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** One request as a program without Weft's client makes it. `to` with `protocol: "https:"` goes over TLS. */
export function callJson(
  to: RequestOptions,
  method: string,
  path: string,
  sent: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<JsonAnswer> {
  const { body, headers = {} } = sent;
  const payload = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const request = to.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const started = request({
      ...to,
      method: method.toUpperCase(),
      path,
      agent: false,
      headers: { ...(payload !== undefined && { "content-type": "application/json" }), ...headers },
    });
    started.on("error", reject);
    started.on("response", async (response) => {
      let text = "";
      try {
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        resolve({ status: response.statusCode!, headers: response.headers, body: jsonOf(text) });
      } catch (error) {
        reject(error);
      }
    });
    started.end(payload);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
