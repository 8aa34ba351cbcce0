import { createRequire } from "node:module";

/** What Node's own parser takes one message to be. */
export interface SecondOpinion {
  /** "" for answers, and for a method Node does not tell. */
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** Names in lower case, values as they came. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

type Callback = (...args: unknown[]) => void;
interface Parser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  /** Gives its memory back. */
  close(): void;
  [callback: number]: Callback;
}
interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)("node:_http_common") as {
  readonly HTTPParser: ParserClass;
  readonly methods: readonly string[];
};

/** Reads messages with llhttp, strictly; undefined when it refuses any of it or stops before the end. */
export function readWithLlhttp(kind: "request" | "response", bytes: Buffer): SecondOpinion[] | undefined {
  const parser = new HTTPParser();
  const messages: SecondOpinion[] = [];
  let fields: string[] = [];
  let url = "";
  let body = "";
  let head: Omit<SecondOpinion, "body" | "fields"> | undefined;
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  parser[HTTPParser.kOnHeaders] = (more, path) => {
    fields.push(...(more as string[]));
    url += path;
  };
  parser[HTTPParser.kOnHeadersComplete] = (_major, _minor, all, method, path, status) => {
    if (all) fields = all as string[];
    const name = typeof method === "number" ? (methods[method] ?? "") : "";
    head = { method: name, url: url + String(path ?? ""), status: Number(status ?? 0) };
  };
  parser[HTTPParser.kOnBody] = (chunk) => {
    body += (chunk as Buffer).toString("latin1");
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (head) messages.push({ ...head, fields: pairs(fields), body });
    fields = [];
    url = "";
    body = "";
    head = undefined;
  };
  const consumed = parser.execute(bytes);
  parser.close();
  return typeof consumed === "number" && consumed === bytes.length ? messages : undefined;
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) list.push([flat[i]!.toLowerCase(), flat[i + 1]!]);
  return list;
}
