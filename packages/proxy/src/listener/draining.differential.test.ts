import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { FrameType } from "../http2/frames.ts";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";
import { FrameClient, frame, request } from "./test-frame-client.ts";
import { RawClient } from "./test-raw-client.ts";

const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;

const bootstrap = {
  admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
  static_resources: {
    listeners: [
      {
        name: "main",
        address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
        filter_chains: [
          {
            filters: [
              {
                name: "hcm",
                typed_config: {
                  "@type": type("network.http_connection_manager.v3.HttpConnectionManager"),
                  stat_prefix: "s",
                  drain_timeout: "0.2s",
                  route_config: {
                    name: "r",
                    virtual_hosts: [
                      {
                        name: "v",
                        domains: ["*"],
                        routes: [
                          {
                            match: { prefix: "/" },
                            direct_response: { status: 200, body: { inline_string: "one" } },
                          },
                        ],
                      },
                    ],
                  },
                  http_filters: [
                    { name: "router", typed_config: { "@type": type("http.router.v3.Router") } },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  },
};

const get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const headers = (id: number) => frame(FrameType.Headers, 5, id, request());
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function both(): Promise<readonly Contender[]> {
  const contenders = await startBoth(bootstrap);
  for (const { close } of contenders) closers.push(() => close());
  return contenders;
}

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  closers.push(() => client.close());
  return client;
}

async function ask(client: RawClient): Promise<string> {
  client.text = "";
  client.send(get);
  const text = await client.until(/\r\n\r\none$/);
  return text.toLowerCase().includes("connection: close") ? "the last" : "one of many";
}

describe("draining, as Envoy does it", { skip: envoyOrSkip }, () => {
  it("while health checks are to fail an answer is its connection's last, and afterwards no more", async () => {
    for (const { name, port, admin } of await both()) {
      const client = await connect(port);
      assert.equal(await ask(client), "one of many", name);
      await admin("/healthcheck/fail", "POST");
      assert.equal(await admin("/ready"), "DRAINING\n", name);
      assert.equal(await ask(client), "the last", name);
      await client.untilClosed();
      await admin("/healthcheck/ok", "POST");
      assert.equal(await admin("/ready"), "LIVE\n", name);
      assert.equal(await ask(await connect(port)), "one of many", name);
    }
  });

  it("HTTP/2 is told to go first, and which stream was the last then", async () => {
    for (const { name, port, admin } of await both()) {
      const client = new FrameClient(port);
      closers.push(() => client.close());
      client.open(headers(1));
      await client.until(/^data 1 end/);
      assert.deepEqual(
        client.lines.filter((line) => line.startsWith("goaway")),
        [],
        name,
      );
      await admin("/healthcheck/fail", "POST");
      // A request the client sent before it knew is answered.
      client.send(headers(3));
      await client.until(/^goaway 2147483647 NoError/);
      client.send(headers(5));
      await client.until(/^data 5 end/);
      for (const line of client.lines) {
        const payload = /^ping ([0-9a-f]{16})$/.exec(line)?.[1];
        if (payload) client.send(frame(FrameType.Ping, 1, 0, Buffer.from(payload, "hex")));
      }
      await client.until(/^goaway 5 NoError/);
      await client.untilClosed();
      const told = client.lines
        .filter((line) => /^(goaway|headers)/.test(line))
        .map((line) => line.slice(0, 9));
      assert.deepEqual(told, ["headers 1", "goaway 21", "headers 3", "headers 5", "goaway 5 "], name);
    }
  });

  it("drained listeners refuse who comes, serve who is there, and the proxy says that it lives", async () => {
    for (const { name, port, admin } of await both()) {
      const client = await connect(port);
      assert.equal(await ask(client), "one of many", name);
      assert.equal(await admin("/drain_listeners", "POST"), "OK\n", name);
      await assert.rejects(RawClient.connect(port), { code: "ECONNREFUSED" }, name);
      assert.equal(await ask(client), "one of many", name);
      assert.equal(await admin("/ready"), "LIVE\n", name);
      assert.match(await admin("/listeners"), /^main::127\.0\.0\.1:\d+\n$/, name);
    }
  });

  it("inboundonly leaves listeners of no direction alone, and graceful ones go on for the drain time", async () => {
    for (const { name, port, admin } of await both()) {
      for (const query of ["inboundonly", "graceful", "graceful&skip_exit"]) {
        assert.equal(await admin(`/drain_listeners?${query}`, "POST"), "OK\n", name);
        await ask(await connect(port));
      }
    }
  });
});
