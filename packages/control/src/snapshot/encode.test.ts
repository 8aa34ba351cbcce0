import assert from "node:assert/strict";
import { it } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { callerOf } from "../translate/caller.ts";
import { fixture } from "../translate/mesh-fixture.ts";
import { outboundRoutes } from "../translate/outbound-routes.ts";
import { assembleRoutes } from "../translate/route-assembly.ts";
import { encode, encodeRoutes } from "./encode.ts";

it("routes put together from encoded hosts are the message that they are encoded from", () => {
  const { mesh } = fixture({ workloads: [{ service: "a" }, { service: "b" }, { service: "c" }] });
  const caller = callerOf(mesh.workloads.get("a-v1.default")!, mesh);
  const assembly = outboundRoutes(9080, mesh, caller);
  const hosts = assembly.hosts.map((host) => toBinary(VirtualHostSchema, host.build()));
  const { name, body } = encodeRoutes(assembly.head, hosts);
  const whole = encode("route", assembleRoutes(assembly));
  assert.equal(name, whole.name);
  assert.equal(body.length, whole.body.length);
  assert.deepEqual(
    fromBinary(RouteConfigurationSchema, body),
    fromBinary(RouteConfigurationSchema, whole.body),
  );
  assert.equal(hosts.length, 4);
});
