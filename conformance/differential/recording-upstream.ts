import { once } from "node:events";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Answer, Case } from "./case.ts";
import { describeMessage, fieldValue, type Http1Message, readMessage } from "./http1-message.ts";
import { answerBytes } from "./load-areas.ts";

/** What one case's requests found at the upstream. */
export class Scene {
  readonly received: string[] = [];
  readonly #one: Case;
  #answered = 0;

  constructor(one: Case) {
    this.#one = one;
  }

  /** Whether the next answer does not wait for the whole request. */
  get isEarly(): boolean {
    return this.#one.answers[this.#answered]?.isEarly === true;
  }

  nextAnswer(): Answer | undefined {
    const { answers, repeatsLastAnswer } = this.#one;
    const at = this.#answered++;
    return answers[at] ?? (repeatsLastAnswer ? answers.at(-1) : undefined);
  }
}

/**
 * An upstream that keeps what it received byte for byte and answers by script.
 * A request that carries `x-case` belongs to that scene, any other to the
 * current one.
 */
export class RecordingUpstream {
  readonly scenes = new Map<string, Scene>();
  current: Scene | undefined;
  readonly #server: Server;
  readonly #http2: Http2Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, http2: Http2Server) {
    this.#server = server;
    this.#http2 = http2;
    server.on("connection", (socket) => {
      this.#keep(socket);
      this.#serve(socket);
    });
    http2.on("connection", (socket) => this.#keep(socket));
    http2.on("sessionError", () => {});
    http2.on("stream", (stream, _headers, _flags, raw) => {
      this.#serveHttp2(stream, raw as unknown as string[]);
    });
  }

  static async start(): Promise<RecordingUpstream> {
    const upstream = new RecordingUpstream(createServer({ allowHalfOpen: true }), createHttp2Server());
    for (const server of [upstream.#server, upstream.#http2]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get http2Port(): number {
    return (this.#http2.address() as AddressInfo).port;
  }

  /** Until every connection the script has closed is closed from the other side, too, so that no proxy takes it for the next case. */
  async settle(): Promise<void> {
    const ending = [...this.#sockets].filter((socket) => socket.writableEnded || socket.destroyed);
    const signal = AbortSignal.timeout(2_000);
    await Promise.all(
      ending.map((socket) => (socket.closed ? undefined : once(socket, "close", { signal }).catch(() => {}))),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    this.#http2.close();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #sceneOf(fields: readonly string[]): Scene | undefined {
    // Asked only to see whether a connection lives.
    if ((fieldValue(fields, "host") ?? fieldValue(fields, ":authority")) === "probe") return undefined;
    return this.scenes.get(fieldValue(fields, "x-case") ?? "") ?? this.current;
  }

  #serve(socket: Socket): void {
    let text = "";
    let echoes = false;
    /** Set between an early answer and the end of its request. */
    let answeredEarly: Scene | undefined;
    socket.on("data", (chunk) => {
      if (echoes) {
        socket.write(chunk);
        return;
      }
      text += chunk.toString("latin1");
      for (;;) {
        const message = readMessage(text, 0);
        if (!message) break;
        text = text.slice(message.end);
        const scene = answeredEarly ?? this.#sceneOf(message.fields);
        scene?.received.push(describe(message));
        const answer = answeredEarly ? undefined : scene?.nextAnswer();
        if (!answeredEarly) echoes = send(socket, answer);
        answeredEarly = undefined;
        if (echoes && text !== "") socket.write(text);
        if (echoes) return;
      }
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd < 0 || answeredEarly) return;
      const scene = this.#sceneOf(text.slice(0, headEnd).split("\r\n"));
      if (!scene?.isEarly) return;
      answeredEarly = scene;
      send(socket, scene.nextAnswer());
    });
    socket.on("end", () => socket.end());
  }

  #serveHttp2(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const fields = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
    const scene = this.#sceneOf(fields);
    let body = "";
    let trailers: readonly string[] = [];
    stream.on("error", () => {});
    stream.setEncoding("latin1");
    stream.on("data", (chunk: string) => {
      body += chunk;
    });
    stream.on("trailers", (_headers, _flags, list: string[]) => {
      trailers = list.flatMap((name, i) => (i % 2 === 0 ? [`trailer ${name}: ${list[i + 1]}`] : []));
    });
    stream.on("end", () => {
      const shown = body === "" ? [] : [`(data) ${JSON.stringify(body)}`];
      const known = withoutLabel(fields);
      // The order of pseudo-fields says nothing.
      const pseudo = known.filter((line) => line.startsWith(":")).sort();
      const others = known.filter((line) => !line.startsWith(":"));
      scene?.received.push([...pseudo, ...others, ...shown, ...trailers].join("\n"));
      sendHttp2(stream, scene?.nextAnswer());
    });
  }
}

/** The request without the field that only says whose it is. */
function describe(message: Http1Message): string {
  return describeMessage({ ...message, fields: withoutLabel(message.fields) });
}

function withoutLabel(fields: readonly string[]): string[] {
  return fields.filter((line) => !/^x-case:/i.test(line));
}

/** Answers; returns whether the connection echoes from now on. */
function send(socket: Socket, answer: Answer | undefined): boolean {
  if (!answer) {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    return false;
  }
  const bytes = Buffer.from(answerBytes(answer), "latin1");
  if (answer.afterwards === "reset" && bytes.length === 0) socket.resetAndDestroy();
  else if (answer.afterwards === "reset") socket.write(bytes, () => socket.resetAndDestroy());
  else if (answer.afterwards === "close") socket.end(bytes);
  else if (answer.afterwards !== "silence" && bytes.length > 0) socket.write(bytes);
  return answer.echoes;
}

function sendHttp2(stream: ServerHttp2Stream, answer: Answer | undefined): void {
  if (stream.destroyed) return;
  if (answer?.raw === "") {
    if (answer.afterwards === "reset") stream.close(answer.resetCode);
    else if (answer.afterwards === "close") stream.session?.destroy();
    return;
  }
  const headers: Record<string, string | number> = { ":status": answer?.status ?? 200 };
  for (const line of answer?.headers ?? []) {
    const at = line.indexOf(":");
    headers[line.slice(0, at)] = line.slice(at + 1).trim();
  }
  const trailers = Object.fromEntries(
    (answer?.trailers ?? []).map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    }),
  );
  const body = answer?.body ?? "ok";
  const hasTrailers = Object.keys(trailers).length > 0;
  if (hasTrailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.respond(headers, { endStream: body === "" && !hasTrailers, waitForTrailers: hasTrailers });
  if (body !== "" || hasTrailers) stream.end(body);
}
