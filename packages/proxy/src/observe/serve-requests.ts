import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { ObservedEvent, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { ObservedRequests } from "./observed-requests.ts";

export interface ServeRequestsOptions {
  /** Of the Unix socket; open to this process's own user alone. */
  readonly path: string;
  readonly clock: Clock;
  readonly requests: ObservedRequests;
}

/** A line of what a watcher is sent. `lost` and `limited` are since the line before that had them. */
export interface WatchLine {
  readonly events?: readonly ObservedEvent[];
  /** What the watcher did not read in time. */
  readonly lost?: number;
  /** Requests over the watch's limit. */
  readonly limited?: number;
}

const maxBodyBytes = 256 << 10;
/** What may wait for a watcher; more is lost to it. */
const maxQueuedBytes = 256 << 10;
const reportMs = 1_000;

/**
 * A proxy's requests for its agent, on a Unix socket: `POST /watch` answers with
 * a line of JSON for each event for as long as it is read, `POST /recall` with
 * those that are remembered. A watcher that does not read loses events, which
 * are counted; requests never wait for it.
 *
 * @throws UserError when the socket cannot be had
 */
export async function serveRequests(options: ServeRequestsOptions): Promise<{ close(): void }> {
  const { createServer } = await import("node:http");
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 << 10 }, (request, response) => {
    respond(request, response, options).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400, { "content-type": "text/plain" });
      response.end(`${messageOf(error)}\n`);
    });
  });
  server.maxConnections = 64;
  await listenOn(server, { path: options.path, mode: 0o600 });
  server.unref();
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServeRequestsOptions,
): Promise<void> {
  const { url, method } = request;
  if (method === "POST" && url === "/recall") {
    const requests = await options.requests.recall((await readJson(request)) as RecallPlan);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ requests }));
  } else if (method === "POST" && url === "/watch") {
    watch((await readJson(request)) as WatchPlan, response, options);
  } else {
    response.writeHead(404, { "content-type": "text/plain" });
    response.end("there is POST /watch and POST /recall\n");
  }
}

function watch(plan: WatchPlan, response: ServerResponse, { requests, clock }: ServeRequestsOptions): void {
  let lost = 0;
  let limitedBefore = 0;
  const write = (line: WatchLine) => response.write(`${JSON.stringify(line)}\n`);
  const watched = requests.watch(plan, (event) => {
    if (response.writableLength > maxQueuedBytes) lost += 1;
    else write({ events: [event] });
  });
  const report = () => {
    const limited = watched.limited - limitedBefore;
    if ((lost > 0 || limited > 0) && response.writableLength <= maxQueuedBytes) {
      write({ lost, limited });
      limitedBefore += limited;
      lost = 0;
    }
    timer = clock.setTimer(report, reportMs);
  };
  let timer = clock.setTimer(report, reportMs);
  response.on("error", () => {});
  response.on("close", () => {
    timer.cancel();
    watched.stop();
  });
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
}

function readJson(request: IncomingMessage): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      text += chunk;
      if (text.length > maxBodyBytes) request.destroy(new Error("the request is too long"));
    });
    request.on("error", reject);
    request.on("end", () => {
      try {
        const value: unknown = JSON.parse(text);
        if (typeof value === "object" && value !== null) resolve(value);
        else reject(new Error("the request is no JSON object"));
      } catch (error) {
        reject(error);
      }
    });
  });
}
