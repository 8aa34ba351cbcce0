import { readdirSync, readFileSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import { join } from "node:path";
import { parse } from "yaml";
import type { Answer, Area, Case, Http2Request } from "./case.ts";
import type { ClientTls } from "./identities.ts";

const folder = join(import.meta.dirname, "cases");

type Fields = Readonly<Record<string, unknown>>;

const areaKeys = ["config", "listener", "parallel", "upstream", "cases"];
const caseKeys =
  "name each listener request host headers body send raw tls h2 data trailers upstream until closes expect".split(
    " ",
  );
const answerKeys = "status headers body trailers send raw then code early echo".split(" ");
const plain: Answer = {
  status: 200,
  headers: [],
  body: "ok",
  trailers: [],
  raw: undefined,
  afterwards: "keep",
  resetCode: 2,
  isEarly: false,
  echoes: false,
};

/**
 * Reads every file of `cases/`: one area each, with the `config` it runs on and
 * defaults for `listener` and `upstream`.
 *
 * A case sends `request` (`GET /path`) with `host`, `headers` and `body`; or
 * `send`, text whose line ends become CRLF; or `raw`, exact bytes; a list of
 * those goes piece by piece, each after new bytes of the answer. `h2: true`
 * sends `request` over HTTP/2, `h2: [field, …]` those very fields. `upstream` is
 * what the recording upstream answers, always, or as a list to one request after
 * the other: a status, text, `silence`, `close`, `reset`, or a map. `each` makes
 * one case of each member, in place of `$each`; `$PORT` is the listener's.
 * `until` is text that ends the wait, `closes` waits for the proxy to close,
 * `expect` is a number of answers that the bytes do not show.
 *
 * @throws Error naming the file and case of anything that is not understood. */
export function loadAreas(): readonly Area[] {
  const areas = readdirSync(folder)
    .sort()
    .map((file) => loadArea(file.replace(/\.yaml$/, ""), readFileSync(join(folder, file), "utf8")));
  const names = new Set<string>();
  for (const { name } of areas.flatMap(({ cases }) => cases)) {
    if (names.has(name)) throw new Error(`two cases are named ${JSON.stringify(name)}`);
    names.add(name);
  }
  return areas;
}

function loadArea(name: string, text: string): Area {
  const area = fieldsOf(parse(text), name, areaKeys);
  const defaults = { listener: area.listener ?? "main", upstream: area.upstream };
  return {
    name,
    config: String(area.config),
    isParallel: area.parallel === true,
    cases: (area.cases as unknown[]).flatMap((one, i) =>
      expand(shorthand(one, `${name}, case ${i + 1}`)).map((fields) =>
        decodeCase(name, { ...defaults, ...fields }),
      ),
    ),
  };
}

/** `[name, request line, header …]` is a case, too. */
function shorthand(one: unknown, place: string): Fields {
  if (!Array.isArray(one)) return fieldsOf(one, place, caseKeys);
  const [name, request, ...headers] = one as string[];
  return { name, request, headers };
}

/** One case for each member of `each`, which stands wherever `$each` is written. */
function expand(fields: Fields): readonly Fields[] {
  const { each, ...rest } = fields;
  if (each === undefined) return [fields];
  const replace = (value: unknown, member: string): unknown => {
    if (typeof value === "string") return value.replaceAll("$each", () => member);
    if (Array.isArray(value)) return value.map((inner) => replace(inner, member));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner, member)]));
  };
  return (each as unknown[]).map((member) => {
    const made = replace(rest, String(member)) as Record<string, unknown>;
    if (!String(rest.name).includes("$each")) made.name = `${rest.name} ${printable(String(member))}`;
    return made;
  });
}

function decodeCase(area: string, fields: Fields): Case {
  const name = `${area}: ${printable(String(fields.name))}`;
  const { upstream } = fields;
  const answers = Array.isArray(upstream) ? upstream : [upstream ?? {}];
  return {
    name,
    listener: String(fields.listener),
    tls: (fields.tls as ClientTls) ?? "none",
    pieces: fields.h2 === undefined ? decodePieces(fields, name) : [],
    http2: fields.h2 === undefined ? undefined : decodeHttp2(fields, name),
    answers: answers.map((answer) => decodeAnswer(answer, name)),
    repeatsLastAnswer: !Array.isArray(upstream),
    until: fields.until === undefined ? undefined : String(fields.until),
    answerCount: fields.expect as number | undefined,
    awaitsClose: fields.closes === true,
  };
}

function decodePieces(fields: Fields, name: string): readonly string[] {
  const { raw, send, request } = fields;
  if (raw !== undefined) return listOf(raw);
  if (send !== undefined) return listOf(send).map((piece) => withCrlf(piece));
  if (request === undefined) throw new Error(`${name}: needs request, send, raw or h2`);
  const body = fields.body === undefined ? "" : String(fields.body);
  const lines = [
    `${request} HTTP/1.1`,
    `host: ${fields.host ?? "test"}`,
    ...listOf(fields.headers),
    ...(body === "" ? [] : [`content-length: ${body.length}`]),
  ];
  return [`${lines.join("\r\n")}\r\n\r\n${body}`];
}

/** `h2: true` sends what `request` and its like describe; otherwise the fields stand there one by one. */
function decodeHttp2(fields: Fields, name: string): Http2Request {
  const { h2, request, host, headers, body, data } = fields;
  if (h2 !== true && request !== undefined) throw new Error(`${name}: \`request\` goes with \`h2: true\``);
  const [method, path] = String(request).split(" ") as [string, string];
  const start: Http2Request["fields"] = [
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", String(host ?? "test")],
  ];
  return {
    fields: h2 === true ? [...start, ...listOf(headers).map(splitField)] : listOf(h2).map(splitField),
    data: body === undefined ? listOf(data) : [String(body)],
    trailers: listOf(fields.trailers).map(splitField),
  };
}

function splitField(line: string): readonly [string, string] {
  const at = line.indexOf(":", 1);
  return [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
}

function decodeAnswer(value: unknown, name: string): Answer {
  if (typeof value === "number") return { ...plain, status: value };
  if (value === "silence" || value === "close" || value === "reset")
    return { ...plain, raw: "", afterwards: value };
  if (typeof value === "string") return { ...plain, raw: withCrlf(value) };
  const fields = fieldsOf(value, name, answerKeys);
  return {
    status: Number(fields.status ?? 200),
    headers: listOf(fields.headers),
    body: String(fields.body ?? "ok"),
    trailers: listOf(fields.trailers),
    raw: rawAnswer(fields),
    afterwards: (fields.then as Answer["afterwards"]) ?? "keep",
    resetCode: Number(fields.code ?? 2),
    isEarly: fields.early === true,
    echoes: fields.echo === true,
  };
}

function rawAnswer({ send, raw }: Fields): string | undefined {
  if (send !== undefined) return withCrlf(String(send));
  return raw === undefined ? undefined : String(raw);
}

/** The bytes of an answer over HTTP/1. */
export function answerBytes(answer: Answer): string {
  if (answer.raw !== undefined) return answer.raw;
  const { status, headers, body, trailers } = answer;
  const hasNoBody = status < 200 || status === 204 || status === 304;
  const isChunked = trailers.length > 0;
  const framing = hasNoBody
    ? []
    : [isChunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`];
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...headers, ...framing, "", ""].join(
    "\r\n",
  );
  if (hasNoBody) return head;
  if (!isChunked) return head + body;
  return `${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n${trailers.join("\r\n")}\r\n\r\n`;
}

function fieldsOf(value: unknown, place: string, known: readonly string[]): Fields {
  const fields = (value ?? {}) as Fields;
  const unknown = Object.keys(fields).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`${place}: unknown ${unknown.join(", ")}`);
  return fields;
}

function listOf(value: unknown): string[] {
  return value === undefined ? [] : [value].flat().map(String);
}

/** Text blocks are written with plain line ends. */
function withCrlf(text: string): string {
  return text.replace(/\n/g, "\r\n");
}

function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\xff]/g, (char) => JSON.stringify(char).slice(1, -1));
}
