import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type Socket } from "node:net";
import { test } from "node:test";
import { until } from "@weft/testkit/until";
import { cleanups, startProxyProcess } from "./test-proxy-process.ts";

/** The answer on a connection of its own, which stays open. */
async function ask(port: number): Promise<{ readonly socket: Socket; readonly body: string }> {
  const socket = net.connect(port, "127.0.0.1");
  cleanups.push(() => socket.destroy());
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return { socket, body: chunk.toString().split("\r\n\r\n")[1]! };
}

test("several workers serve one port with one configuration, and their statistics are one", async () => {
  const { admin, child, port, stats, replace } = await startProxyProcess(3);
  const before = await Promise.all(Array.from({ length: 60 }, () => ask(port)));
  assert.deepEqual(new Set(before.map(({ body }) => body)), new Set(["first"]));
  const counted = await stats("downstream_(cx|rq)_(total|active)$");
  assert.equal(counted.get("http.s.downstream_rq_total"), 60);
  assert.equal(counted.get("http.s.downstream_cx_active"), 60);
  const perWorker = [0, 1, 2].map(
    (worker) => counted.get(`listener.127.0.0.1_${port}.worker_${worker}.downstream_cx_total`) ?? 0,
  );
  assert.equal(
    perWorker.reduce((sum, count) => sum + count),
    60,
  );
  assert.ok(perWorker.filter((count) => count > 0).length > 1, `one worker took all: ${perWorker}`);
  assert.equal((await stats("server.concurrency")).get("server.concurrency"), 3);

  assert.equal(await admin("/reset_counters", "POST"), "OK\n");
  const anew = await stats("downstream_(cx|rq)_(total|active)$");
  assert.equal(anew.get("http.s.downstream_rq_total"), 0, "counters of all workers begin anew");
  assert.equal(anew.get("http.s.downstream_cx_active"), 60, "and what is open stays counted");

  await replace("second");
  const answers = async () =>
    new Set((await Promise.all(Array.from({ length: 30 }, () => ask(port)))).map(({ body }) => body));
  await until(
    "every worker has the new configuration",
    async () => [...(await answers())].join() === "second",
  );
  for (const { socket } of before) socket.destroy();
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
