import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import { PrometheusClient } from "./prometheus-client.ts";

describe("a Prometheus that does not do what it should", () => {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    const [, what] = request.url!.split("/");
    if (what === "moved") response.writeHead(307, { location: "http://127.0.0.1/" }).end();
    else if (what === "large") response.end(Buffer.alloc((32 << 20) + 1));
    else if (what === "silent") response.flushHeaders();
    else response.end('{"status":"success","data":{"resultType":"vector","result":[]}}');
  });
  let origin = "";
  before(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  const ask = (path: string, timeoutMs = 60_000, login = "") =>
    new PrometheusClient({ url: `http://${login}${origin}/${path}`, timeoutMs }).ask("up");

  it("is not followed elsewhere", () => assert.rejects(ask("moved"), /redirect/));
  it("is not read without end", () => assert.rejects(ask("large"), /too long/));
  it("is not waited for longer than was said", () =>
    assert.rejects(ask("silent", 300), /no answer within 0.3 s/));
  it("is an error where nobody listens", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await assert.rejects(new PrometheusClient({ url, timeoutMs: 60_000 }).ask("up"), /ECONNREFUSED/);
  });
  it("is shown the name and password of its URL, below the path it is served at", async () => {
    await ask("prometheus/", 60_000, "reader:p%40ss@");
    const { url, headers } = asked.at(-1)!;
    assert.equal(url, "/prometheus/api/v1/query");
    assert.equal(headers.authorization, `Basic ${Buffer.from("reader:p@ss").toString("base64")}`);
  });
});
