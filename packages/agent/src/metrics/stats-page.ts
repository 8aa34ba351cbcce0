import { chownSync } from "node:fs";
import { createServer } from "node:http";
import {
  contentTypes,
  type ExpositionFormat,
  exposition,
  type MetricsFormat,
  negotiateFormat,
  prefersProtobuf,
} from "@weft/base/exposition";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { protobufExposition } from "@weft/base/protobuf-exposition";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { Ids } from "../launch.ts";
import type { AppMetrics } from "./app-metrics.ts";

export interface StatsPageOptions {
  readonly path: string;
  /** Who may connect; undefined: only this process's own user. */
  readonly owner: Ids | undefined;
  /** What the sidecar itself shows; rejects while there is none. */
  readonly scrape: (format: ExpositionFormat) => Promise<string>;
  /** The same as messages, where the registry has native histograms; undefined where the sidecar has none. */
  readonly scrapeMessages?: (() => Promise<Buffer | undefined>) | undefined;
  /** Whether it can show that as OpenMetrics. */
  readonly hasOpenMetrics: boolean;
  /** What the agent counts for it. */
  readonly registry: MetricRegistry;
  /** The application's own, where it has any. */
  readonly app: AppMetrics | undefined;
}

const endMark = "# EOF\n";

/**
 * One page of a sidecar's statistics, of those its agent counts for it and of
 * the application's own, on a Unix socket: the sidecar's own listener on 15090
 * shows it. All of it is in one format, the one that its content type names.
 */
export async function startStatsPage(options: StatsPageOptions): Promise<{ close(): Promise<void> }> {
  const { path, owner } = options;
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 << 10 }, (request, response) => {
    pageOf(options, request.headers.accept).then(
      ({ format, body }) => {
        response.writeHead(200, { "content-type": contentTypes[format] });
        response.end(body);
      },
      () => {
        response.writeHead(503, { "content-type": "text/plain" });
        response.end("the sidecar does not answer\n");
      },
    );
  });
  server.maxConnections = 64;
  await listenOn(server, { path });
  if (owner) chownSync(path, owner.uid, owner.gid);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Page {
  readonly format: MetricsFormat;
  readonly body: string | Buffer;
}

async function pageOf(options: StatsPageOptions, accept: string | undefined): Promise<Page> {
  const { scrapeMessages, registry } = options;
  const isWanted = registry.hasNativeHistograms && prefersProtobuf(accept);
  const messages = isWanted ? await scrapeMessages?.() : undefined;
  if (messages === undefined) return textOf(options, accept);
  // Each message says how long it is, so that pages of them stand one behind the other.
  return { format: "protobuf", body: Buffer.concat([messages, ...protobufExposition(registry)]) };
}

async function textOf(
  { scrape, hasOpenMetrics, registry, app }: StatsPageOptions,
  accept: string | undefined,
): Promise<Page> {
  const wanted = hasOpenMetrics ? negotiateFormat(accept) : "text";
  const application = await app?.scrape(wanted);
  const format = application?.format ?? wanted;
  const parts = [await scrape(format), [...exposition(registry, format)].join(""), application?.text ?? ""];
  const text = parts.map((part) => (part.endsWith(endMark) ? part.slice(0, -endMark.length) : part)).join("");
  return { format, body: format === "openmetrics" ? text + endMark : text };
}
