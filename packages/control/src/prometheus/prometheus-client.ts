import { messageOf } from "@weft/base/errors";
import { readBody } from "../egress/read-body.ts";
import { type PrometheusSeries, parseVector } from "./parse-vector.ts";

/** What one form says to one URL, and what came back. @throws Error when nobody answered */
export type Post = (url: string, form: string, timeoutMs: number) => Promise<PostAnswer>;

export interface PostAnswer {
  readonly status: number;
  readonly text: string;
}

export interface PrometheusClientOptions {
  /** `http://HOST:PORT`, and below which path it is served. */
  readonly url: string;
  /** For each question; Prometheus is told to give up by then as well. */
  readonly timeoutMs: number;
  /** How it is asked; by default as `plainPost` does. */
  readonly post?: Post;
}

/** A Prometheus, or what speaks its HTTP API: asked for the value of expressions at one moment. */
export class PrometheusClient {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #post: Post;

  constructor({ url, timeoutMs, post = plainPost }: PrometheusClientOptions) {
    this.#url = `${url.replace(/\/+$/, "")}/api/v1/query`;
    this.#timeoutMs = timeoutMs;
    this.#post = post;
  }

  /**
   * The series that an expression gives, at `atMs` or now.
   *
   * @throws Error that says why there are none: nobody answered in time, it was refused, or it is no vector
   */
  async ask(query: string, atMs?: number): Promise<readonly PrometheusSeries[]> {
    const form = new URLSearchParams({
      query,
      timeout: `${this.#timeoutMs}ms`,
      ...(atMs !== undefined && { time: (atMs / 1000).toFixed(3) }),
    });
    const { status, text } = await this.#post(this.#url, form.toString(), this.#timeoutMs);
    return parseVector(status, text);
  }
}

/** A busy mesh asked for a day: some 50,000 series. */
const maxBytes = 32 << 20;

/** To where somebody at this machine says: any address, redirects refused, name and password of the URL shown. */
export const plainPost: Post = async (url, form, timeoutMs) => {
  const target = new URL(url);
  const { username, password } = target;
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  target.username = target.password = "";
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
        ...(login !== ":" && { authorization: `Basic ${Buffer.from(login).toString("base64")}` }),
      },
      body: form,
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, text: await readBody(response, maxBytes) };
  } catch (error) {
    if (error instanceof DOMException && error.name === "TimeoutError") {
      throw new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error });
    }
    // Of `fetch failed` the cause says why.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Error(messageOf(cause) || "nobody answers there", { cause: error });
  }
};
