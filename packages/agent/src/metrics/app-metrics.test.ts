import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { contentTypes, type ExpositionFormat } from "@weft/base/exposition";
import { MetricRegistry } from "@weft/base/metric-registry";
import { freePort } from "@weft/testkit/free-port";
import { AppMetrics } from "./app-metrics.ts";
import { checkExposition } from "./check-exposition.ts";
import { startStatsPage } from "./stats-page.ts";

const text = '# HELP app_jobs Jobs.\n# TYPE app_jobs counter\napp_jobs{a="x\\"}"} 3\n';
const open = '# TYPE app_jobs counter\napp_jobs_total 3 # {trace_id="a"} 1\n# EOF\n';

describe("what an application shows", () => {
  const cases: readonly [what: string, body: string, format: ExpositionFormat, kept: string | undefined][] = [
    ["is kept line by line", text, "text", text],
    ["may lack the last line's end", "a 1", "text", "a 1\n"],
    [
      "may have comments and empty lines, which go",
      "# hello\n\na 1 1700000000\n",
      "text",
      "a 1 1700000000\n",
    ],
    [
      "does not go by the sidecar's names",
      "# TYPE istio_x gauge\nistio_x 1\nenvoy_y 2\na NaN\n",
      "text",
      "a NaN\n",
    ],
    ["may be values beyond all numbers", "a +Inf\nb -Inf\nc 1e-7\n", "text", "a +Inf\nb -Inf\nc 1e-7\n"],
    ["ends with its mark as OpenMetrics", open, "openmetrics", open.slice(0, -6)],
    ["is nothing without that mark", open.slice(0, -6), "openmetrics", undefined],
    ["is nothing where a line is no metric", "a 1\n<html>\n", "text", undefined],
    ["is nothing where a value is none", "a one\n", "text", undefined],
    ["is nothing where a label does not end", 'a{b="c} 1\n', "text", undefined],
  ];
  for (const [what, body, format, kept] of cases) {
    it(what, () => {
      assert.equal(checkExposition(body, format), kept);
    });
  }
});

describe("the page of a sidecar with an application that has metrics", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-page-"));
  const path = join(folder, "page.sock");
  const registry = new MetricRegistry();
  let answer: (message: IncomingMessage, response: ServerResponse) => void = () => {};
  let app: Server;
  let page: { close(): Promise<void> };

  before(async () => {
    app = createServer((message, response) => answer(message, response));
    await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
    const { port } = app.address() as AddressInfo;
    page = await startStatsPage({
      path,
      owner: undefined,
      scrape: async (format) => (format === "openmetrics" ? "own_total 1\n# EOF\n" : "own_total 1\n"),
      hasOpenMetrics: true,
      registry,
      app: new AppMetrics({ hosts: ["127.0.0.1"], port, path: "/metrics" }, registry),
    });
  });
  after(async () => {
    await page.close();
    app.closeAllConnections();
    app.close();
    rmSync(folder, { recursive: true });
  });

  const get = (accept: string) =>
    new Promise<{ type: string; lines: string[] }>((resolve, reject) => {
      const call = request(
        { socketPath: path, path: "/stats/prometheus", headers: { accept } },
        (response) => {
          let body = "";
          response.on("data", (chunk) => {
            body += chunk;
          });
          response.on("end", () =>
            resolve({
              type: response.headers["content-type"] ?? "",
              lines: body.split("\n").filter((line) => line && !/^# (HELP|TYPE)/.test(line)),
            }),
          );
        },
      );
      call.on("error", reject);
      call.end();
    });
  const say = (type: string, body: string, status = 200) => {
    answer = (_, response) => response.writeHead(status, { "content-type": type }).end(body);
  };
  const results = () =>
    Object.fromEntries(
      [...registry.families].flatMap(({ series }) =>
        [...series].map(({ labels, metric }) => [labels[0], (metric as { value: number }).value]),
      ),
    );

  it("is one in the format that is asked for, where the application has it too", async () => {
    say(contentTypes.openmetrics, open);
    const { type, lines } = await get(contentTypes.openmetrics);
    assert.equal(type, contentTypes.openmetrics);
    assert.deepEqual(lines, [
      "own_total 1",
      'weft_app_metrics_scrapes_total{result="ok"} 1',
      ...open.split("\n").slice(1, 3),
    ]);
  });

  it("is text as a whole where the application has nothing else", async () => {
    say("text/plain; version=0.0.4", text);
    const { type, lines } = await get(contentTypes.openmetrics);
    assert.equal(type, contentTypes.text);
    assert.equal(lines[0], "own_total 1");
    assert.ok(!lines.includes("# EOF"));
    assert.equal(lines.at(-1), text.split("\n")[2]);
  });

  it("goes without the application where that answers badly, and says so", async () => {
    const before = results();
    say("text/plain", "nothing here", 500);
    assert.ok(!(await get(contentTypes.text)).lines.some((line) => line.startsWith("app_")));
    say("text/plain", "<html>\n");
    await get(contentTypes.text);
    say(contentTypes.openmetrics, open);
    await get(contentTypes.text);
    answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      const line = `${"a".repeat(1_000)} 1\n`;
      const more = (): void => {
        while (!response.destroyed && response.write(line.repeat(100)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    const { lines } = await get(contentTypes.text);
    assert.equal(lines[0], "own_total 1");
    const now = results();
    for (const result of ["status", "malformed", "format", "too-large"]) {
      assert.equal((now[result] ?? 0) - (before[result] ?? 0), 1, result);
    }
  });

  it("is there while the application is not", async () => {
    const own = new MetricRegistry();
    const nobody = new AppMetrics({ hosts: ["127.0.0.1"], port: await freePort(), path: "/metrics" }, own);
    assert.equal(await nobody.scrape("text"), undefined);
    const [family] = [...own.families];
    assert.deepEqual(
      [...family!.series].map(({ labels }) => labels),
      [["unreachable"]],
    );
  });
});
