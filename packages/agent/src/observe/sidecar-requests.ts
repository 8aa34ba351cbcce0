import { type ClientRequest, request } from "node:http";
import type { Clock, Timer } from "@weft/base/clock";
import type { WatchLine } from "@weft/proxy/observe/serve-requests";
import type { ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { RequestSource } from "./request-source.ts";

const recallMs = 2_000;
const maxRecalledBytes = 16 << 20;
/** A line is one event; longer ones are none of ours. */
const maxLineLength = 1 << 20;
const retryMs = 500;

/** The requests of our own sidecar, on its socket. One that is started again is watched again. */
export class SidecarRequests implements RequestSource {
  readonly #socketPath: string;
  readonly #clock: Clock;

  constructor(socketPath: string, clock: Clock) {
    this.#socketPath = socketPath;
    this.#clock = clock;
  }

  watch(plan: WatchPlan, onLine: (line: WatchLine) => void): () => void {
    let sent: ClientRequest;
    let timer: Timer | undefined;
    let isOver = false;
    const open = () => {
      sent = this.#post("/watch", plan);
      sent.on("response", (response) => {
        response.on("error", () => {});
        readLines(response, onLine);
      });
      sent.on("error", () => {});
      sent.on("close", () => {
        if (!isOver) timer = this.#clock.setTimer(open, retryMs);
      });
    };
    open();
    return () => {
      isOver = true;
      timer?.cancel();
      sent.destroy();
    };
  }

  recall(plan: RecallPlan): Promise<readonly ObservedRequest[]> {
    return new Promise((resolve, reject) => {
      const sent = this.#post("/recall", plan);
      sent.setTimeout(recallMs, () => sent.destroy(new Error("the sidecar does not answer")));
      sent.on("error", reject);
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > maxRecalledBytes) sent.destroy(new Error("the sidecar's answer is too long"));
        });
        response.on("error", reject);
        response.on("end", () => {
          try {
            resolve((JSON.parse(text) as { requests: ObservedRequest[] }).requests);
          } catch {
            reject(new Error(text.slice(0, 200)));
          }
        });
      });
    });
  }

  #post(path: string, body: object): ClientRequest {
    const sent = request({ socketPath: this.#socketPath, method: "POST", path, agent: false });
    sent.end(JSON.stringify(body));
    return sent;
  }
}

function readLines(response: NodeJS.ReadableStream, onLine: (line: WatchLine) => void): void {
  let rest = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string | Buffer) => {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop()!;
    if (rest.length > maxLineLength) rest = "";
    for (const line of lines) if (line !== "") onLine(JSON.parse(line) as WatchLine);
  });
}
