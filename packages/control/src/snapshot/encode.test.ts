import assert from "node:assert/strict";
import { it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { callerOf } from "../translate/caller.ts";
import { fixture } from "../translate/mesh-fixture.ts";
import { outboundRoutes } from "../translate/outbound-routes.ts";
import { assembleRoutes } from "../translate/route-assembly.ts";
import { encode, encodeHost, encodeRoutes } from "./encode.ts";

it("routes put together from encoded hosts are the message that they are encoded from", () => {
  const { mesh } = fixture({ workloads: [{ service: "a" }, { service: "b" }, { service: "c" }] });
  const caller = callerOf(mesh.workloads.get("a-v1.default")!, mesh);
  const assembly = outboundRoutes(9080, mesh, caller);
  const hosts = assembly.memory.keys.map((_, at) => encodeHost(assembly.build(at)));
  const { name, body } = encodeRoutes(assembly.head, hosts).resource;
  const whole = encode("route", assembleRoutes(assembly));
  assert.equal(name, whole.name);
  assert.equal(body.length, whole.body.length);
  assert.deepEqual(
    fromBinary(RouteConfigurationSchema, body),
    fromBinary(RouteConfigurationSchema, whole.body),
  );
  assert.equal(hosts.length, 4);
});

it("routes of which some hosts are as they were before are what they would be from nothing", () => {
  const { mesh } = fixture({ workloads: ["a", "b", "c", "d"].map((service) => ({ service })) });
  const caller = callerOf(mesh.workloads.get("a-v1.default")!, mesh);
  const { head, memory, build } = outboundRoutes(9080, mesh, caller);
  const [a, b, c, d, rest] = memory.keys.map((_, at) => encodeHost(build(at)));
  const other = encodeHost(outboundRoutes(9080, mesh, { ...caller, namespace: "shop" }).build(1));
  const lists = [
    [a, b, c, d, rest],
    [a, other, c, d, rest],
    [other, b, c, rest],
    [b],
    [],
    [a, b, c, d, other],
  ];
  for (const before of lists) {
    const last = encodeRoutes(
      head,
      before.map((host) => host!),
    );
    for (const now of lists) {
      const hosts = now.map((host) => host!);
      const fresh = encodeRoutes(head, hosts);
      assert.deepEqual(encodeRoutes(head, hosts, last), fresh);
      assert.equal(fresh.resource.version === last.resource.version, before === now);
    }
  }
});
