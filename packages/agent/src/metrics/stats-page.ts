import { chownSync } from "node:fs";
import { createServer } from "node:http";
import { listenOn } from "@weft/xds/grpc/listen-on";
import type { Ids } from "../launch.ts";

export interface StatsPageOptions {
  readonly path: string;
  /** Who may connect; undefined: only this process's own user. */
  readonly owner: Ids | undefined;
  /** The Prometheus text of the sidecar itself; rejects while there is none. */
  readonly scrape: () => Promise<string>;
  /** The Prometheus text of what the agent counts for it. */
  readonly render: () => string;
}

/**
 * One page of a sidecar's statistics and of those its agent counts for it, on
 * a Unix socket: the sidecar's own listener on 15090 shows it, as it would its own.
 */
export async function startStatsPage(options: StatsPageOptions): Promise<{ close(): Promise<void> }> {
  const { path, owner, scrape, render } = options;
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 << 10 }, (_, response) => {
    scrape().then(
      (own) => {
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
        response.end(own + render());
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
