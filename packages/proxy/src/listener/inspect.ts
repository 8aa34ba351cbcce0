import { type ClientHello, parseClientHello } from "../net/client-hello.ts";

export interface Inspection {
  readonly transportProtocol: "tls" | "raw_buffer";
  readonly hello: ClientHello | undefined;
  /** `http/1.1`, `http/1.0` or `h2c` as the HTTP inspector sees it; "" otherwise. */
  readonly httpProtocol: string;
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const requestLine = /^[A-Z-]{1,20} [^ \r\n]+ HTTP\/1\.([01])\r?\n/;
const couldBeRequest = /^[A-Z-]{1,20}( [^ \r\n]*( (H(T(T(P(\/(1(\.([01](\r)?)?)?)?)?)?)?)?)?)?)?$/;
const maxRequestLineBytes = 8192;
const maxInspectedBytes = 64 * 1024;

/** What the first bytes of a connection say; undefined while more are needed to tell. */
export function inspect(
  bytes: Buffer,
  look: { readonly tls: boolean; readonly http: boolean },
): Inspection | undefined {
  if (look.tls) {
    const result = parseClientHello(bytes);
    if (result.kind === "hello") return { transportProtocol: "tls", hello: result.hello, httpProtocol: "" };
    if (result.kind === "incomplete" && bytes.length < maxInspectedBytes) return undefined;
  }
  if (!look.http) return { transportProtocol: "raw_buffer", hello: undefined, httpProtocol: "" };
  const httpProtocol = judgeHttp(bytes);
  if (httpProtocol === undefined) return undefined;
  return { transportProtocol: "raw_buffer", hello: undefined, httpProtocol };
}

function judgeHttp(bytes: Buffer): string | undefined {
  const text = bytes.toString("latin1", 0, maxRequestLineBytes);
  if (text.startsWith(preface)) return "h2c";
  if (preface.startsWith(text)) return undefined;
  const version = requestLine.exec(text)?.[1];
  if (version !== undefined) return `http/1.${version}`;
  return couldBeRequest.test(text) && text.length < maxRequestLineBytes ? undefined : "";
}
