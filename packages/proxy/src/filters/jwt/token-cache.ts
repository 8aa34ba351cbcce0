import type { JsonWebToken } from "./json-web-token.ts";

/**
 * Tokens whose signature has been verified, by their text; the ones not asked
 * for longest leave first. Times and audiences are checked anew on each use.
 */
export class TokenCache {
  readonly #tokens = new Map<string, JsonWebToken>();
  readonly #maxTokens: number;
  readonly #maxTokenBytes: number;

  constructor(maxTokens: number, maxTokenBytes: number) {
    this.#maxTokens = maxTokens;
    this.#maxTokenBytes = maxTokenBytes;
  }

  get(text: string): JsonWebToken | undefined {
    const token = this.#tokens.get(text);
    if (token) {
      this.#tokens.delete(text);
      this.#tokens.set(text, token);
    }
    return token;
  }

  add(text: string, token: JsonWebToken): void {
    if (text.length > this.#maxTokenBytes) return;
    if (this.#tokens.size >= this.#maxTokens) {
      const [oldest] = this.#tokens.keys();
      this.#tokens.delete(oldest!);
    }
    this.#tokens.set(text, token);
  }

  remove(text: string): void {
    this.#tokens.delete(text);
  }

  /** The keys have changed: what the old ones verified counts no longer. */
  clear(): void {
    this.#tokens.clear();
  }
}
