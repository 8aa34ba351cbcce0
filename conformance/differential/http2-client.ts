import { block, FrameClient, frame } from "@weft/proxy/listener/test-frame-client";
import type { Case } from "./case.ts";

const frameType = { data: 0, headers: 1, ping: 6 } as const;
const endStream = 0x1;
const endHeaders = 0x4;
const streamId = 1;
const patienceMs = 10_000;

/** Sends a case's request as frames on a fresh connection; the answer is the frames of its stream, then whether the connection still answers a PING. */
export async function exchangeHttp2(one: Case, port: number): Promise<string> {
  const { fields, data, trailers } = one.http2!;
  const client = new FrameClient(port);
  const isBare = data.length === 0 && trailers.length === 0;
  const frames = [headers(fields, isBare)];
  data.forEach((text, i) => {
    const isLast = i === data.length - 1 && trailers.length === 0;
    frames.push(frame(frameType.data, isLast ? endStream : 0, streamId, text));
  });
  if (trailers.length > 0) frames.push(headers(trailers, true));
  client.open(...frames);
  const isOver = /^(?:headers|data) 1 end|^reset 1 |^goaway /;
  await patiently(client.until(one.until === undefined ? isOver : new RegExp(one.until)));
  client.send(frame(frameType.ping, 0, 0, "whatever"));
  const isAlive = await patiently(client.until(/^ping end/));
  const lines = [...describe(client.lines), isAlive ? "connection kept" : "connection closed"];
  client.close();
  return lines.join("\n");
}

function headers(fields: readonly (readonly [string, string])[], isEnd: boolean): Buffer {
  const flags = endHeaders | (isEnd ? endStream : 0);
  return frame(frameType.headers, flags, streamId, block(...fields.flat()));
}

/** One line for each field and thing, with the pieces of the body as one. */
function describe(frames: readonly string[]): string[] {
  const lines: string[] = [];
  let body: string | undefined;
  for (const text of frames) {
    const [, kind, rest] = /^(\w+) (.*)$/s.exec(text) ?? [];
    if (kind === "data") body = (body ?? "") + rest!.replace(/^\d+(?: end)? /, "");
    if (body !== undefined && kind !== "data") {
      if (body !== "") lines.push(`(data) ${JSON.stringify(body)}`);
      body = undefined;
    }
    if (kind === "headers") lines.push(...rest!.replace(/^\d+(?: end)? /, "").split(/ (?=:?[a-z0-9-]+=)/));
    else if (kind === "reset") lines.push(`reset ${rest!.split(" ")[1]}`);
    else if (kind === "goaway") lines.push(`goaway ${rest!.split(" ")[1]}`);
  }
  if (body) lines.push(`(data) ${JSON.stringify(body)}`);
  return lines.map((line) => line.replace(/^(:?[a-z0-9-]+)=/, "$1: "));
}

async function patiently(wanted: Promise<string>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, patienceMs, false);
  });
  const there = wanted.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([there, tooLong]);
  clearTimeout(timer);
  return result;
}
