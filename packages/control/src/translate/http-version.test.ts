import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Cluster } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { MeshConfigSpec } from "../config/mesh-config/mesh-config-spec.ts";
import { fixture } from "./mesh-fixture.ts";
import { translateSidecar } from "./translate-sidecar.ts";

interface Case {
  readonly mesh?: MeshConfigSpec["h2UpgradePolicy"];
  /** Of the service's DestinationRule. */
  readonly rule?: string;
  /** Of the Sidecar of those who serve it. */
  readonly sidecar?: string;
  readonly negotiates?: true;
  readonly port?: "http" | "grpc";
}

/** What a sidecar speaks to a service of the mesh. */
function spoken({ mesh, rule, sidecar, negotiates, port = "http" }: Case): string {
  const yaml = [
    rule &&
      `kind: DestinationRule\nmetadata: { name: api }\nspec: { host: api, trafficPolicy: { connectionPool: { http: { ${rule} } } } }\n`,
    sidecar &&
      `kind: Sidecar\nmetadata: { name: api }\nspec: { workloadSelector: { labels: { app: api } }, inboundConnectionPool: { http: { ${sidecar} } } }\n`,
  ].flatMap((one) => (one ? `apiVersion: networking.istio.io/v1\n${one}` : []));
  const {
    mesh: built,
    proxy,
    features,
    findings,
  } = fixture(
    {
      workloads: [{ service: "web" }, { service: "api", ports: [{ port: 80, protocol: port }] }],
      features: negotiates ? ["weft.negotiated-http"] : [],
      ...(mesh ? { meshConfig: { h2UpgradePolicy: mesh } } : {}),
    },
    yaml.join("---\n"),
  );
  assert.deepEqual(findings, []);
  const { cluster } = translateSidecar(built, built.workloads.get(proxy)!, features);
  const { message } = cluster.find(({ name }) => name === "outbound|80||api.default.svc.cluster.local")!;
  const [options] = Object.values((message as Cluster).typedExtensionProtocolOptions);
  const { upstreamProtocolOptions: chosen } = anyUnpack(options!, HttpProtocolOptionsSchema)!;
  return chosen.case === "explicitHttpConfig" ? chosen.value.protocolConfig.case! : chosen.case!;
}

const http1 = "httpProtocolOptions";
const http2 = "http2ProtocolOptions";
const negotiated = "autoConfig";
const asClient = "useDownstreamProtocolConfig";

describe("the HTTP version that a service is called by", () => {
  const cases: readonly (readonly [what: string, given: Case, expected: string])[] = [
    ["is HTTP/1.1 as its port says", {}, http1],
    ["is what both ends can, where the data plane negotiates", { negotiates: true }, negotiated],
    ["is HTTP/2 where its port says so", { port: "grpc" }, http2],
    ["is HTTP/2 by its rule", { rule: "h2UpgradePolicy: UPGRADE" }, http2],
    ["is HTTP/2 by the mesh's word", { mesh: "UPGRADE" }, http2],
    ["is not upgraded by the mesh's word", { mesh: "DO_NOT_UPGRADE", negotiates: true }, http1],
    ["is its rule's before the mesh's", { mesh: "UPGRADE", rule: "h2UpgradePolicy: DO_NOT_UPGRADE" }, http1],
    ["is its client's by its rule", { mesh: "UPGRADE", rule: "useClientProtocol: true" }, asClient],
    [
      "is its client's by its rule, whatever its port says",
      { port: "grpc", rule: "useClientProtocol: true" },
      asClient,
    ],
    [
      "is its client's where its Sidecar follows",
      { negotiates: true, sidecar: "useClientProtocol: true" },
      asClient,
    ],
    [
      "is its client's where its Sidecar follows, before the mesh's",
      { mesh: "UPGRADE", sidecar: "useClientProtocol: true" },
      asClient,
    ],
    [
      "is its rule's before what its Sidecar follows",
      { rule: "h2UpgradePolicy: UPGRADE", sidecar: "useClientProtocol: true" },
      http2,
    ],
    [
      "is its port's HTTP/2 where its Sidecar follows",
      { port: "grpc", sidecar: "useClientProtocol: true" },
      http2,
    ],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.equal(spoken(given), expected));
});
