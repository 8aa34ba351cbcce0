import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { routesForHost } from "./routes-for-host.ts";

const config = create(RouteConfigurationSchema, {
  name: "8080",
  validateClusters: false,
  virtualHosts: [
    { name: "reviews", domains: ["reviews", "reviews:8080", "reviews.default"] },
    { name: "ratings", domains: ["ratings", "ratings:8080"] },
    { name: "address", domains: ["[fd00::1]:8080", "10.0.0.1"] },
    { name: "wild", domains: ["*.default"] },
    { name: "rest", domains: ["*"] },
  ],
});

describe("the routes for a host", () => {
  for (const [host, ...names] of [
    ["reviews", "reviews", "wild", "rest"],
    ["Reviews.:8080", "reviews", "wild", "rest"],
    ["reviews.default:9999", "reviews", "wild", "rest"],
    ["[FD00::1]:8080", "address", "wild", "rest"],
    ["unknown", "wild", "rest"],
  ] as const) {
    it(`${host}: ${names.join(", ")}`, () => {
      const { virtualHosts, ...rest } = routesForHost(config, host);
      assert.deepEqual(
        virtualHosts.map(({ name }) => name),
        names,
      );
      assert.equal(rest.name, "8080");
      assert.equal(rest.validateClusters, false);
    });
  }
});
