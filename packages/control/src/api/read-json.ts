import type { IncomingMessage } from "node:http";
import { ApiRefusal } from "./refusal.ts";

/** How much of a body that is too long is read and dropped, so that its sender gets to see the answer. */
const maxDroppedBytes = 16 << 20;

/** The body as JSON, undefined when there is none. Longer ones are refused before they are held. @throws ApiRefusal 400, 413, 415 */
export function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    const tooLong = (): void => {
      chunks = [];
      const hint = "apply fewer files at once";
      reject(new ApiRefusal(413, { error: `the request is longer than ${sizeText(maxBytes)}`, hint }));
    };
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) tooLong();
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) return void chunks.push(chunk);
      tooLong();
      if (size > maxBytes + maxDroppedBytes) request.destroy();
    });
    request.on("error", reject);
    request.on("close", () =>
      reject(new ApiRefusal(400, { error: "the request ended before it was complete" })),
    );
    request.on("end", () => {
      if (size === 0) return resolve(undefined);
      if (size > maxBytes) return;
      if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
        return reject(new ApiRefusal(415, { error: "the body is to be application/json" }));
      }
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      } catch {
        reject(new ApiRefusal(400, { error: "the request is not JSON" }));
      }
    });
  });
}

function sizeText(bytes: number): string {
  return bytes >= 1 << 20 ? `${bytes >> 20} MiB` : `${bytes >> 10} KiB`;
}
