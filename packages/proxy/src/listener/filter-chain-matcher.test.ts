import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FilterChainMatcher } from "./filter-chain-matcher.ts";
import type { FilterChainMatch } from "./listener-plan.ts";
import { chainPlan, tcpPlan } from "./test-proxy.ts";

describe("a filter chain", () => {
  const none = chainPlan(tcpPlan()).match;
  const chain = (name: string, match: Partial<FilterChainMatch>) => ({ name, match: { ...none, ...match } });
  const chains = new FilterChainMatcher([
    chain("any", {}),
    chain("port", { destinationPort: 80 }),
    chain("net", { prefixRanges: [{ address: "10.0.0.0", prefixLength: 8 }] }),
    chain("subnet", { prefixRanges: [{ address: "10.1.0.0", prefixLength: 16 }] }),
    chain("subnet tls", {
      prefixRanges: [{ address: "10.1.0.0", prefixLength: 16 }],
      transportProtocol: "tls",
    }),
    chain("exact", { destinationPort: 443, serverNames: ["a.example.org"] }),
    chain("wildcard", { destinationPort: 443, serverNames: ["*.example.org"] }),
    chain("wide", { destinationPort: 443, serverNames: ["*.org"] }),
    chain("alpn", { destinationPort: 443, serverNames: ["*.org"], applicationProtocols: ["istio"] }),
    chain("local", { destinationPort: 81, sourceType: "same-ip-or-loopback" }),
    chain("external", { destinationPort: 81, sourceType: "external" }),
  ]);
  for (const [host, port, seen, expected] of [
    ["192.168.1.1", 90, {}, "any"],
    ["192.168.1.1", 80, {}, "port"],
    ["10.1.1.1", 80, {}, "port"],
    ["10.2.1.1", 90, {}, "net"],
    ["10.1.1.1", 90, {}, "subnet"],
    ["10.1.1.1", 90, { transportProtocol: "tls" }, "subnet tls"],
    ["10.1.1.1", 443, { serverName: "a.example.org" }, "exact"],
    ["10.1.1.1", 443, { serverName: "b.example.org" }, "wildcard"],
    ["10.1.1.1", 443, { serverName: "b.org" }, "wide"],
    ["10.1.1.1", 443, { serverName: "b.org", applicationProtocols: ["h2", "istio"] }, "alpn"],
    ["10.1.1.1", 443, { serverName: "b.net" }, undefined],
    ["10.1.1.1", 81, {}, "external"],
    ["10.9.9.9", 81, {}, "local"],
  ] as const) {
    it(`for ${host}:${port} ${JSON.stringify(seen)} is ${expected}`, () => {
      const found = chains.find({
        local: { kind: "ip", host, port },
        remote: { kind: "ip", host: "10.9.9.9", port: 1 },
        serverName: "",
        transportProtocol: "raw_buffer",
        applicationProtocols: [],
        ...seen,
      });
      assert.equal(found?.name, expected);
    });
  }
});
