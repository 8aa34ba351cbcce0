import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import { promisify } from "node:util";
import { findPeer } from "@weft/testkit/peer";
import { TestCa } from "@weft/testkit/test-ca";
import {
  chainPlan,
  clusterPlan,
  httpPlan,
  listenerPlan,
  startTestProxy,
  type TestProxy,
} from "./test-proxy.ts";

const h2spec = findPeer("h2spec");
const run = promisify(execFile);

/** What h2spec says of a listener: the sum, and each case that failed with what was expected. */
async function runH2spec(port: number, ...more: string[]): Promise<string> {
  const args = ["-h", "127.0.0.1", "-p", `${port}`, ...more];
  const { stdout } = await run(h2spec!, args, { maxBuffer: 1 << 24 }).catch((error) => error);
  const failures = (stdout as string)
    .split("\n")
    .filter((line) => /^\s+×|^\s+(->|Expected:|Actual:)/.test(line));
  const sum = /\d+ tests, .*/.exec(stdout)?.[0] ?? stdout;
  return [sum, ...new Set(failures)].join("\n");
}

describe("h2spec", { skip: h2spec ? false : "no h2spec found" }, () => {
  let proxy: TestProxy;
  // Answers once the request is complete: what h2spec breaks must be seen before.
  const upstream = http.createServer((request, response) => {
    request.resume().on("end", () => response.end("an answer of some length"));
  });

  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as { port: number };
    const svid = new TestCa().leaf("default", "reviews");
    const tlsPlan = {
      context: { current: tls.createSecureContext({ cert: svid.chainPem, key: svid.keyPem }), generation: 1 },
      requireClientCertificate: false,
      verifiesClients: false,
      alpnProtocols: ["h2", "http/1.1"],
      matchesSan: undefined,
    };
    proxy = await startTestProxy(
      [
        listenerPlan([chainPlan(httpPlan({ codec: "http2" }))], { name: "plain" }),
        listenerPlan([chainPlan(httpPlan(), { tls: tlsPlan })], { name: "tls" }),
      ],
      [clusterPlan([{ kind: "ip", host: "127.0.0.1", port }])],
    );
  });

  after(async () => {
    await proxy.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  it("passes by prior knowledge", async () => {
    assert.equal(await runH2spec(proxy.port("plain")), "145 tests, 145 passed, 0 skipped, 0 failed");
  });

  it("passes over TLS by ALPN", async () => {
    const spoken = await runH2spec(proxy.port("tls"), "-t", "-k");
    assert.equal(spoken, "145 tests, 145 passed, 0 skipped, 0 failed");
  });
});
