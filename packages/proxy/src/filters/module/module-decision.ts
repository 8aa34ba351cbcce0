/** Fields to change, checked; names in lower case. */
export interface CheckedEdits {
  readonly remove: readonly string[];
  /** Flat: name, value, … */
  readonly set: readonly string[];
  /** Flat. */
  readonly add: readonly string[];
}

/** What a module decided, once it is known to make sense. */
export type CheckedDecision =
  | { readonly kind: "continue"; readonly edits: CheckedEdits | undefined }
  | {
      readonly kind: "respond";
      readonly status: number;
      /** Flat. */
      readonly fields: readonly string[];
      readonly body: Uint8Array;
    };

const maxFields = 100;
const maxFieldBytes = 64 * 1024;
const maxBodyBytes = 1024 * 1024;
/** They say where a message ends and belong to a connection: the proxy's to write. */
const framing = new Set(
  "connection content-length host keep-alive proxy-connection te trailer transfer-encoding upgrade".split(
    " ",
  ),
);
const nothing = new Uint8Array(0);

/** Checks what a module gave; throws a `TypeError` that says what is wrong with it. */
export function checkDecision(decision: unknown): CheckedDecision {
  if (decision === undefined) return { kind: "continue", edits: undefined };
  const given = mapping(decision, "the decision", ["headers", "respond"]);
  if (given.respond === undefined) {
    return { kind: "continue", edits: given.headers === undefined ? undefined : checkEdits(given.headers) };
  }
  if (given.headers !== undefined) throw new TypeError("the decision has `headers` beside `respond`");
  const respond = mapping(given.respond, "respond", ["status", "headers", "body"]);
  const { status } = respond;
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`respond.status ${String(status)} is not 200 to 599`);
  }
  const budget = new FieldBudget();
  return {
    kind: "respond",
    status,
    fields: flatFields(respond.headers, "respond.headers", budget),
    body: checkBody(respond.body),
  };
}

function checkEdits(headers: unknown): CheckedEdits {
  const { remove = [], set, add } = mapping(headers, "headers", ["remove", "set", "add"]);
  if (!Array.isArray(remove)) throw new TypeError("headers.remove is not a list");
  const budget = new FieldBudget();
  return {
    remove: remove.map((name: unknown) => budget.take(name, "", "headers.remove")),
    set: flatFields(set, "headers.set", budget),
    add: flatFields(add, "headers.add", budget),
  };
}

function flatFields(fields: unknown, place: string, budget: FieldBudget): readonly string[] {
  if (fields === undefined) return [];
  const flat: string[] = [];
  for (const [name, given] of Object.entries(mapping(fields, place))) {
    for (const value of Array.isArray(given) ? (given as unknown[]) : [given]) {
      if (typeof value !== "string") throw new TypeError(`${place}: ${name} is not text`);
      if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
        throw new TypeError(`${place}: ${name} has a character no header may have`);
      }
      flat.push(budget.take(name, value, place), value.trim());
    }
  }
  return flat;
}

/** How much of header fields one decision may bring. */
class FieldBudget {
  #fields = 0;
  #bytes = 0;

  /** The name in lower case. */
  take(name: unknown, value: string, place: string): string {
    if (typeof name !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
      throw new TypeError(`${place}: ${JSON.stringify(name)} is not a header name`);
    }
    const lower = name.toLowerCase();
    if (framing.has(lower)) throw new TypeError(`${place}: ${lower} cannot be edited`);
    this.#fields += 1;
    this.#bytes += name.length + value.length;
    if (this.#fields > maxFields || this.#bytes > maxFieldBytes) {
      throw new TypeError(`more than ${maxFields} header fields, or ${maxFieldBytes} bytes of them`);
    }
    return lower;
  }
}

/** A copy that is no part of a larger buffer, which would be passed on as a whole. */
function checkBody(body: unknown): Uint8Array {
  if (body === undefined) return nothing;
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("respond.body is neither text nor bytes");
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  if (bytes.length > maxBodyBytes) throw new TypeError(`respond.body is larger than ${maxBodyBytes} bytes`);
  return bytes;
}

function mapping(
  value: unknown,
  place: string,
  known?: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${place} is not an object`);
  }
  const unknown = known && Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`${place} has an unknown key ${JSON.stringify(unknown)}: ${known!.join(", ")}`);
  }
  return value as Readonly<Record<string, unknown>>;
}
