import { createHash } from "node:crypto";
import { inspect } from "node:util";

const shown = "(private)";

/**
 * Text that no log, page or answer shows: only who asks for it by name gets it.
 * What stands for it wherever it is printed says nothing of it.
 */
export class PrivateText {
  /** Equal for equal texts, and no help in guessing one: whoever compares values compares this. */
  readonly fingerprint: string;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.fingerprint = createHash("sha256").update(text).digest("base64url");
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return shown;
  }

  toString(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
