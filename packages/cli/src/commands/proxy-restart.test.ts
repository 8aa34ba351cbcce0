import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { until } from "@weft/testkit/until";
import { cleanups, type ProxyProcess, startProxyProcess } from "./test-proxy-process.ts";

const request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/** One connection, one request; the whole answer, or what went wrong. */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(request));
    socket.setTimeout(20_000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", (error) => resolve(`failed: ${error.message}`));
    socket.on("close", () => resolve(answer));
  });
}

function untilOf(proxy: ProxyProcess, what: string, check: () => Promise<boolean>): Promise<void> {
  return until(what, () => check().catch(() => false), { said: () => proxy.said() });
}

/** The processes that took over, to be ended with the test. */
function endSuccessors(proxy: ProxyProcess): void {
  cleanups.push(() => {
    for (const [, pid] of proxy.said().matchAll(/serves as process (\d+)/g)) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
  });
}

for (const concurrency of [1, 2]) {
  test(`a hot restart under load fails no request, keeps what is open and what was counted (${concurrency} workers)`, async () => {
    const proxy = await startProxyProcess(concurrency);
    endSuccessors(proxy);
    const { port } = proxy;
    const open = net.connect(port, "127.0.0.1");
    cleanups.push(() => open.destroy());
    open.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(open, "data");

    const answers: string[] = [];
    let isLoading = true;
    const load = Array.from({ length: 16 }, async () => {
      while (isLoading) answers.push(await ask(port));
    });
    const over = once(proxy.child, "exit");
    proxy.child.kill("SIGUSR2");
    await untilOf(proxy, "a successor serves", async () =>
      /"restart_epoch": 1/.test(await proxy.admin("/server_info")),
    );
    open.write(request);
    const [last] = (await once(open, "data")) as [Buffer];
    assert.match(String(last), /^HTTP\/1\.1 200/, "a connection from before is served to its end");
    assert.deepEqual(await over, [0, null], proxy.said());
    isLoading = false;
    await Promise.all(load);
    const failed = answers.filter((answer) => !answer.startsWith("HTTP/1.1 200"));
    assert.deepEqual(failed, []);
    assert.ok(answers.length > 50, `${answers.length} requests are no load`);

    await untilOf(proxy, "all requests of both processes are counted", async () => {
      const counted = await proxy.stats("downstream_rq_total$");
      return counted.get("http.s.downstream_rq_total") === answers.length + 2;
    });
    await proxy.admin("/reset_counters", "POST");
    const anew = await proxy.stats("downstream_rq_total$");
    assert.equal(anew.get("http.s.downstream_rq_total"), 0, "of both processes");
    assert.match(await ask(port), /^HTTP\/1\.1 200/);
  });
}

test("a successor that cannot start changes nothing", async () => {
  const proxy = await startProxyProcess(1);
  endSuccessors(proxy);
  proxy.breakBootstrap();
  proxy.child.kill("SIGUSR2");
  await untilOf(proxy, "it is told", async () => /this process goes on/.test(proxy.said()));
  assert.match(await ask(proxy.port), /^HTTP\/1\.1 200/);
  assert.equal(proxy.child.exitCode, null);
});
