import type { Socket } from "node:net";
import { type ClientHello, parseClientHello } from "../net/client-hello.ts";
import { handleOf } from "../net/stream-binding.ts";
import { TimerEntry, type Timers } from "../net/timers.ts";

export interface Inspection {
  /** What was read: it must be handed on. */
  readonly bytes: Buffer;
  readonly transportProtocol: "tls" | "raw_buffer";
  readonly hello: ClientHello | undefined;
  /** `http/1.1`, `http/1.0` or `h2c` as the HTTP inspector sees it; "" otherwise. */
  readonly httpProtocol: string;
}

export interface InspectionEvents {
  onInspected(inspection: Inspection): void;
  /** The client said nothing decisive in time. */
  onTimeout(bytes: Buffer): void;
  /** The client left. */
  onGone(): void;
}

export interface InspectionOptions {
  readonly tls: boolean;
  readonly http: boolean;
  readonly timeoutMs: number;
  readonly timers: Timers;
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const requestLine = /^[A-Z-]{1,20} [^ \r\n]+ HTTP\/1\.([01])\r?\n/;
const couldBeRequest = /^[A-Z-]{1,20}( [^ \r\n]*( (H(T(T(P(\/(1(\.([01](\r)?)?)?)?)?)?)?)?)?)?)?$/;
const maxRequestLineBytes = 8192;
const maxInspectedBytes = 64 * 1024;
const empty = Buffer.alloc(0);

/** Looks at the first bytes of a connection and gives them back with what they say. Ends in exactly one event. */
export function inspect(socket: Socket, options: InspectionOptions, events: InspectionEvents): void {
  let bytes: Buffer = empty;
  let isDone = false;
  const timer = new TimerEntry(
    {
      onTimer: () => {
        finish();
        events.onTimeout(bytes);
      },
    },
    0,
  );
  const onData = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const inspection = judge(bytes, options);
    if (!inspection) return;
    finish();
    events.onInspected(inspection);
  };
  const onGone = () => {
    if (isDone) return;
    finish();
    socket.destroy();
    events.onGone();
  };
  function finish(): void {
    isDone = true;
    timer.stop();
    socket.off("data", onData);
    socket.off("end", onGone);
    socket.off("close", onGone);
    socket.off("error", onGone);
    socket.on("error", ignore);
    socket.pause();
    const handle = handleOf(socket);
    if (handle) {
      handle.reading = false;
      handle.readStop();
    }
  }
  socket.on("data", onData);
  socket.on("end", onGone);
  socket.on("close", onGone);
  socket.on("error", onGone);
  options.timers.start(timer, options.timeoutMs, options.timers.clock.monotonicMs());
  socket.resume();
}

/** Undefined while more bytes are needed. */
function judge(
  bytes: Buffer,
  options: { readonly tls: boolean; readonly http: boolean },
): Inspection | undefined {
  if (options.tls) {
    const result = parseClientHello(bytes);
    if (result.kind === "hello") {
      return { bytes, transportProtocol: "tls", hello: result.hello, httpProtocol: "" };
    }
    if (result.kind === "incomplete" && bytes.length < maxInspectedBytes) return undefined;
  }
  if (!options.http) return { bytes, transportProtocol: "raw_buffer", hello: undefined, httpProtocol: "" };
  const httpProtocol = judgeHttp(bytes);
  if (httpProtocol === undefined) return undefined;
  return { bytes, transportProtocol: "raw_buffer", hello: undefined, httpProtocol };
}

function judgeHttp(bytes: Buffer): string | undefined {
  const text = bytes.toString("latin1", 0, maxRequestLineBytes);
  if (text.startsWith(preface)) return "h2c";
  if (preface.startsWith(text)) return undefined;
  const version = requestLine.exec(text)?.[1];
  if (version !== undefined) return `http/1.${version}`;
  return couldBeRequest.test(text) && text.length < maxRequestLineBytes ? undefined : "";
}

function ignore(): void {}
