import { parentPort } from "node:worker_threads";
import type { Clock } from "@weft/base/clock";
import type { LogLevel } from "../admin/endpoints.ts";
import { Log } from "../admin/log.ts";
import { decodeBootstrap } from "../config/bootstrap.ts";
import { parseDocument } from "../config/document.ts";
import { applyUpdate } from "../config/xds-session.ts";
import { DataPlane } from "../data-plane.ts";
import { ListenSocket } from "../net/listen-socket.ts";
import { observeWorker } from "../observe/observe-requests.ts";
import { copyStats } from "../telemetry/stats-copy.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import { ObserveForFirst } from "./observe-for-first.ts";

/**
 * A worker beside the first: serves what the bootstrap defines and what the
 * first hands on, on sockets the first has bound, until it is told to close.
 */
export async function runWorker(
  start: WorkerStart,
  clock: Clock,
  writeLog: (text: string) => void,
  reopenLog: () => void,
): Promise<void> {
  const port = parentPort!;
  const tell = (message: FromWorker) => port.postMessage(message);
  const sockets = new Map<string, ((fd: number | undefined) => void)[]>();
  const log = new Log(start.logLevel as LogLevel, clock, writeLog);
  const bootstrap = decodeBootstrap(parseDocument(start.file, start.text));
  const plane = new DataPlane({
    clock,
    log,
    bootstrap,
    concurrency: start.concurrency,
    worker: start.worker,
    drain: start.drain,
    bindSocket: async (key, address, onConnection) => {
      const fd = await new Promise<number | undefined>((resolve) => {
        sockets.set(key, [...(sockets.get(key) ?? []), resolve]);
        tell({ t: "need-socket", key });
      });
      // The first worker has said why.
      if (fd === undefined) throw new Error("the first worker does not have it");
      return ListenSocket.adopt(fd, address, onConnection);
    },
    onChange() {},
    onWanted: (kind, source, name) => tell({ t: "want", kind, source, name }),
  });
  const requests = start.observesRequests
    ? new ObserveForFirst(observeWorker(plane, bootstrap, clock), tell)
    : undefined;
  const closed = new Promise<void>((resolve) => {
    port.on("message", (message: ToWorker) => {
      switch (message.t) {
        case "update":
          applyUpdate(plane.live, message.update);
          break;
        case "socket":
          sockets.get(message.key)?.shift()?.(message.fd);
          break;
        case "stats":
          tell({ t: "stats", stats: copyStats(plane.stats) });
          break;
        case "reset-counters":
          plane.stats.resetCounters();
          break;
        case "reopen-logs":
          reopenLog();
          plane.accessLogs.reopen();
          break;
        case "log-level":
          log.level = message.level as LogLevel;
          break;
        case "fail-health-checks":
          plane.failHealthChecks(message.isFailed);
          break;
        case "drain-listeners":
          void plane.runtime.drainListeners(message.request);
          break;
        case "drain":
          void plane.drain(message.graceMs).then(() => tell({ t: "drained" }));
          break;
        case "stop-accepting":
          void plane.runtime.stopAccepting();
          break;
        case "watch":
          requests?.watch(message.watch, message.plan);
          break;
        case "unwatch":
          requests?.unwatch(message.watch);
          break;
        case "recall":
          requests?.recall(message.plan);
          break;
        case "close":
          resolve();
      }
    });
  });
  await plane.start();
  tell({ t: "started" });
  await closed;
  await plane.close();
  port.close();
}
