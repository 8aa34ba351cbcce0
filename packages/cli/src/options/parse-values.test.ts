import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseAppPort,
  parseDurationMs,
  parseInboundPort,
  parseIp,
  parseLabel,
  parsePort,
  parseSeriesCount,
  parseSeriesIdle,
  parseUpstream,
  parseWorkers,
} from "./parse-values.ts";
import { parseKind } from "./resource-kind.ts";

const good: readonly (readonly [string, () => unknown, unknown])[] = [
  ["500ms", () => parseDurationMs("500ms"), 500],
  ["1.5h", () => parseDurationMs("1.5h"), 5_400_000],
  ["a number of workers", () => parseWorkers("4"), 4],
  ["a number of series", () => parseSeriesCount("5000"), 5_000],
  ["a time for series", () => parseSeriesIdle("15m"), 900_000],
  ["a port", () => parsePort("15012"), 15012],
  ["a free port", () => parsePort("0", true), 0],
  ["9080", () => parseAppPort("9080"), { port: 9080, protocol: "tcp", name: "tcp-9080" }],
  ["9080:http", () => parseAppPort("9080:http"), { port: 9080, protocol: "http", name: "http-9080" }],
  ["9080:grpc:api", () => parseAppPort("9080:grpc:api"), { port: 9080, protocol: "grpc", name: "api" }],
  ["9080=19080", () => parseInboundPort("9080=19080"), [9080, 19080]],
  [
    "reviews:9080=127.0.0.1:20000",
    () => parseUpstream("reviews:9080=127.0.0.1:20000"),
    { host: "reviews", port: 9080, bindAddress: "127.0.0.1", bindPort: 20000 },
  ],
  [
    "reviews:9080=20000",
    () => parseUpstream("reviews:9080=20000"),
    { host: "reviews", port: 9080, bindAddress: "127.0.0.1", bindPort: 20000 },
  ],
  [
    "reviews:9080=[::1]:20000",
    () => parseUpstream("reviews:9080=[::1]:20000"),
    { host: "reviews", port: 9080, bindAddress: "::1", bindPort: 20000 },
  ],
  ["tier=front=end", () => parseLabel("tier=front=end"), ["tier", "front=end"]],
  ["vs", () => parseKind("vs"), "VirtualService"],
  ["DestinationRules", () => parseKind("DestinationRules"), "DestinationRule"],
  ["serviceentries", () => parseKind("serviceentries"), "ServiceEntry"],
  ["authorizationpolicies", () => parseKind("authorizationpolicies"), "AuthorizationPolicy"],
  ["all", () => parseKind("all"), undefined],
];
for (const [text, parse, expected] of good) {
  test(`takes ${text}`, () => assert.deepEqual(parse(), expected));
}

const bad: readonly (readonly [string, () => unknown, RegExp])[] = [
  ["a time without a unit", () => parseDurationMs("30"), /30s, 5m or 24h/],
  ["too many workers", () => parseWorkers("129"), /1 to 128/],
  ["too many series", () => parseSeriesCount("1000001"), /1 to 1000000/],
  ["a time too short for series", () => parseSeriesIdle("999ms"), /from 1s on/],
  ["no time at all", () => parseDurationMs("0s"), /30s, 5m or 24h/],
  ["port 0", () => parsePort("0"), /1 to 65535/],
  ["port 65536", () => parsePort("65536"), /1 to 65535/],
  ["a port with a sign", () => parsePort("+80"), /1 to 65535/],
  ["an unknown protocol", () => parseAppPort("25:smtp"), /none of http/],
  ["too many parts", () => parseAppPort("1:http:a:b"), /PORT\[:PROTOCOL\[:NAME\]\]/],
  ["an inbound port without a target", () => parseInboundPort("9080"), /9080=19080/],
  ["an upstream without a port", () => parseUpstream("reviews=127.0.0.1:20000"), /no port/],
  ["an upstream bound to a name", () => parseUpstream("reviews:1=localhost:1"), /BIND_ADDRESS/],
  ["a label without a key", () => parseLabel("=x"), /KEY=VALUE/],
  ["a host name as address", () => parseIp("localhost"), /IP address/],
  ["an unknown kind", () => parseKind("pods"), /no kind "pods"/],
];
for (const [name, parse, message] of bad) {
  test(`refuses ${name}`, () => assert.throws(parse, message));
}
