/** Requests of a proxy of several workers, as its agent sees them on the socket. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SidecarRequests } from "@weft/agent/observe/sidecar-requests";
import { systemClock } from "@weft/base/clock";
import { until } from "@weft/testkit/until";
import type { ObservedEvent } from "@weft/xds/observed-request";
import { startProxyProcess } from "./test-proxy-process.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-watch-"));
after(() => rmSync(directory, { recursive: true, force: true }));

test("those who watch or ask see the requests of all workers, each once, and their limit is for all", async () => {
  const socket = join(directory, "requests.sock");
  const { port, stats } = await startProxyProcess(3, ["--requests-socket", socket]);
  const requests = new SidecarRequests(socket, systemClock);
  const all: ObservedEvent[] = [];
  const few: ObservedEvent[] = [];
  let limited = 0;
  const everything = { inbound: {}, maxPerSecond: 10_000 };
  const stops = [
    requests.watch(everything, ({ events = [] }) => void all.push(...events)),
    requests.watch({ ...everything, maxPerSecond: 5 }, (line) => {
      few.push(...(line.events ?? []));
      limited += line.limited ?? 0;
    }),
  ];
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
    await response.arrayBuffer();
  };
  try {
    await until("both watch", async () => {
      await ask("/first");
      return all.length > 0 && few.length > 0;
    });
    const count = 90;
    const paths = Array.from({ length: count }, (_, i) => `/asked/${i}`);
    while (paths.length > 0) await Promise.all(paths.splice(0, 15).map(ask));
    const asked = (events: readonly ObservedEvent[], phase: string) =>
      events.filter((event) => event.phase === phase && event.request.path.startsWith("/asked/"));
    await until("all have been told", () => asked(all, "end").length >= count);
    assert.equal(asked(all, "end").length, count);
    assert.equal(new Set(asked(all, "end").map(({ request }) => request.id)).size, count);
    assert.equal(new Set(asked(all, "end").map(({ request }) => request.path)).size, count);
    assert.equal(asked(all, "req").length, count);
    const listener = `listener.127.0.0.1_${port}`;
    await until("more than one worker has taken some", async () => {
      await Promise.all(Array.from({ length: 15 }, () => ask("/more")));
      const counted = await stats("worker_._downstream_cx_total|worker_.\\.downstream_cx_total");
      const totals = [0, 1, 2].map((worker) =>
        counted.get(`${listener}.worker_${worker}.downstream_cx_total`),
      );
      return totals.filter((total) => (total ?? 0) > 0).length > 1;
    });
    await until("what was over the limit is told", async () => {
      await ask("/more");
      return limited > 0 && few.length > 0;
    });
    const ends = few.filter(({ phase }) => phase === "end");
    const seconds =
      (Math.max(...ends.map(({ request }) => request.startedMs)) - ends[0]!.request.startedMs) / 1000;
    assert.ok(ends.length <= 5 * (seconds + 2), `${ends.length} in ${seconds} s`);
    const recalled = await requests.recall({ matching: everything, limit: 500 });
    assert.equal(recalled.filter(({ path }) => path.startsWith("/asked/")).length, count);
    const ids = recalled.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(
      ids.some((id) => id.includes(".")),
      "some are of other workers",
    );
  } finally {
    for (const stop of stops) stop();
  }
});
