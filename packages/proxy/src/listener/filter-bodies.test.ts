import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { routerFilter } from "../filters/router-plan.ts";
import type { BodySink, BodyStage } from "../layer/body-stage.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import {
  chainPlan,
  clusterPlan,
  forwardTo,
  httpPlan,
  listenerPlan,
  retryPlan,
  routesTo,
  startTestProxy,
} from "./test-proxy.ts";
import { RawClient, startServer } from "./test-raw-client.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** An upstream that remembers what it was sent, and answers once the request is complete. */
async function upstream(answer: (requests: readonly string[], socket: Socket) => void) {
  const requests: string[] = [];
  const server = await startServer((socket) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const isChunked = /transfer-encoding: chunked/i.test(text);
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      const head = text.indexOf("\r\n\r\n") + 4;
      if (head < 4 || (isChunked ? !text.endsWith("0\r\n\r\n") : text.length < head + length)) return;
      requests.push(text);
      text = "";
      answer(requests, socket);
    });
  });
  closing.push(() => server.close());
  return { requests, address: server.address };
}

async function ask(
  filters: readonly HttpFilter[],
  request: string,
  options: {
    answer?: Parameters<typeof upstream>[0];
    action?: Parameters<typeof forwardTo>[1];
    bufferLimitBytes?: number;
    filterConfigs?: ReadonlyMap<string, unknown>;
  } = {},
) {
  const answer = options.answer ?? ((_, socket) => void socket.write(hello));
  const up = await upstream(answer);
  const routes = routesTo(forwardTo("upstream", options.action), { filterConfigs: options.filterConfigs });
  const chain = [...filters, routerFilter({ suppressEnvoyHeaders: true })];
  const { bufferLimitBytes = 1024 * 1024 } = options;
  const proxy = await startTestProxy(
    [listenerPlan([chainPlan(httpPlan({ filters: chain, routes }))], { bufferLimitBytes })],
    [clusterPlan([up.address])],
  );
  closing.push(() => proxy.close());
  const client = await RawClient.connect(proxy.port());
  closing.push(() => client.close());
  client.send(request);
  return { client, requests: up.requests };
}

const hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const post = (body: string) => `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** Changes every byte, a part at a time or all at the end, at once or later. */
class Shout implements BodyStage {
  next!: BodySink;
  readonly #isLate: boolean;
  isCancelled = false;

  constructor(isLate = false) {
    this.#isLate = isLate;
  }

  onData(chunk: Buffer, end: boolean): void {
    const changed = Buffer.from(chunk.toString("latin1").toUpperCase(), "latin1");
    if (!this.#isLate) this.next.onData(changed, end);
    else setImmediate(() => !this.isCancelled && this.next.onData(changed, end));
  }

  onTrailers(trailers: HeaderList): void {
    this.next.onTrailers(trailers);
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

const shoutRequest = (isLate: boolean): HttpFilter => ({
  name: "shout",
  onRequest(exchange) {
    exchange.addRequestStage(new Shout(isLate));
    return "continue";
  },
});

const shoutResponse = (isLate: boolean): HttpFilter => ({
  name: "shout back",
  onResponse(exchange) {
    exchange.addResponseStage(new Shout(isLate));
    return "continue";
  },
});

/** Waits for the body, then goes on with what it found in a header. */
const buffering = (maxBytes: number): HttpFilter => ({
  name: "buffering",
  onRequest(exchange) {
    exchange.bufferRequest(maxBytes, (body, isComplete) => {
      const text = Buffer.concat(body).toString("latin1");
      exchange.request!.headers.set("x-seen", `${isComplete ? "all" : "part"} ${text.slice(0, 10)}`);
      exchange.resume();
    });
    return "stop";
  },
});

describe("request bodies and filters", () => {
  for (const isLate of [false, true]) {
    it(`a stage changes the body ${isLate ? "later" : "at once"}, and a retry sends the changed one again`, async () => {
      const { client, requests } = await ask([shoutRequest(isLate)], post("hello"), {
        action: { retry: retryPlan({ is5xx: true }) },
        answer: (seen, socket) =>
          socket.write(
            seen.length === 1 ? "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n" : hello,
          ),
      });
      assert.match(await client.until(/hello$/), /^HTTP\/1.1 200 /);
      assert.deepEqual(
        requests.map((request) => request.slice(request.indexOf("\r\n\r\n") + 4)),
        ["HELLO", "HELLO"],
      );
    });
  }

  it("a filter that waits sees the whole body, as changed by the stages before it", async () => {
    const { client, requests } = await ask([shoutRequest(true), buffering(100)], post("hello"));
    await client.until(/hello$/);
    assert.match(requests[0]!, /x-seen: all HELLO\r\n.*\nHELLO$/s);
  });

  it("a stage added after the body was held still changes all of it", async () => {
    const { client, requests } = await ask([buffering(100), shoutRequest(false)], post("hello"));
    await client.until(/hello$/);
    assert.match(requests[0]!, /x-seen: all hello\r\n.*\nHELLO$/s);
  });

  it("a filter that waits for more than the buffer limit gets it, and hears of what is too much", async () => {
    const body = "a".repeat(50_000);
    const fits = await ask([buffering(60_000)], post(body), { bufferLimitBytes: 1_000 });
    await fits.client.until(/hello$/);
    assert.match(fits.requests[0]!, /x-seen: all aaaa/);
    const exceeds = await ask([buffering(4_000)], post(body), { bufferLimitBytes: 1_000 });
    await exceeds.client.until(/hello$/);
    assert.match(exceeds.requests[0]!, /x-seen: part aaaa/);
    assert.ok(exceeds.requests[0]!.endsWith(body), "nothing of what was held is lost");
  });

  it("a body that arrived while an earlier filter decided is still there for the next", async () => {
    const slow: HttpFilter = {
      name: "slow",
      onRequest(exchange) {
        setTimeout(() => exchange.resume(), 10);
        return "stop";
      },
    };
    const counting: HttpFilter = {
      name: "counting",
      onRequest(exchange) {
        exchange.request!.headers.set("x-body", String(exchange.hasRequestBody));
        return "continue";
      },
    };
    const { client, requests } = await ask(
      [slow, counting, buffering(100), shoutRequest(false)],
      post("hello"),
    );
    await client.until(/hello$/);
    assert.match(requests[0]!, /x-body: true\r\nx-seen: all hello\r\n.*\nHELLO$/s);
    const bare = await ask([slow, counting], "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await bare.client.until(/hello$/);
    assert.match(bare.requests[0]!, /x-body: false/);
  });

  it("no body is a complete one", async () => {
    const { client, requests } = await ask(
      [buffering(10), shoutRequest(true)],
      "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    await client.until(/hello$/);
    assert.match(requests[0]!, /x-seen: all/);
  });
});

describe("responses and filters", () => {
  const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

  for (const isLate of [false, true]) {
    it(`stages change the body ${isLate ? "later" : "at once"}, of answers from here as well`, async () => {
      const { client } = await ask([shoutResponse(isLate)], get);
      assert.match(await client.until(/HELLO$/), /^HTTP\/1.1 200 /);
      const refusing: HttpFilter = {
        name: "refusing",
        onRequest(exchange) {
          exchange.reply(403, "no", "refused");
          return "stop";
        },
      };
      const local = await ask([shoutResponse(isLate), refusing], get);
      assert.match(await local.client.until(/NO$/), /^HTTP\/1.1 403 /);
    });
  }

  const stopping = (decide: (exchange: FilterExchange) => void): HttpFilter => ({
    name: "stopping",
    onResponse(exchange) {
      setTimeout(() => decide(exchange), 5);
      return "stop";
    },
  });

  it("a stopped response waits with head and body, and the filters before the stop follow", async () => {
    const { client } = await ask(
      [
        shoutResponse(false),
        stopping((exchange) => {
          exchange.response!.headers.set("x-later", "yes");
          exchange.resumeResponse();
        }),
      ],
      get,
    );
    assert.match(await client.until(/HELLO$/), /^HTTP\/1.1 200 .*x-later: yes/s);
  });

  it("a stopped response holds no more than the buffer limit, and streams on afterwards", async () => {
    const body = "b".repeat(3_000_000);
    const { client } = await ask([stopping((exchange) => exchange.resumeResponse())], get, {
      bufferLimitBytes: 10_000,
      answer: (_, socket) => void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n${body}`),
    });
    const text = await client.until((c) => c.text.length >= 3_000_000);
    assert.ok(text.endsWith(body));
  });

  it("a filter may answer in place of the response it stopped", async () => {
    const { client } = await ask([stopping((exchange) => exchange.reply(502, "bad", "checked"))], get);
    const text = await client.until(/bad$/);
    assert.match(text, /^HTTP\/1.1 502 /);
    assert.doesNotMatch(text, /hello/);
  });
});

describe("which filters a route has", () => {
  const marking = (name: string, isDisabled = false): HttpFilter => ({
    name,
    isDisabled,
    onRequest(exchange) {
      exchange.request!.headers.append("x-mark", name);
      return "continue";
    },
  });
  const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

  it("those that are not disabled, unless the route says otherwise", async () => {
    const { filterDisabled, filterEnabled } = await import("../layer/filter-chain.ts");
    const filters = [marking("a"), marking("b", true), marking("c", true), marking("d")];
    const marks = async (configs: ReadonlyMap<string, unknown> | undefined) => {
      const { client, requests } = await ask(filters, get, configs ? { filterConfigs: configs } : {});
      await client.until(/hello$/);
      return [...requests[0]!.matchAll(/x-mark: (\w)/g)].map(([, name]) => name).join("");
    };
    assert.equal(await marks(undefined), "ad");
    assert.equal(await marks(new Map<string, unknown>([["b", filterEnabled]])), "abd");
    assert.equal(await marks(new Map<string, unknown>([["c", { some: "configuration" }]])), "acd");
    assert.equal(
      await marks(
        new Map<string, unknown>([
          ["a", filterDisabled],
          ["b", filterEnabled],
        ]),
      ),
      "bd",
    );
  });
});
