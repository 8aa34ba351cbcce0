import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ClientResourceStatus } from "@weft/xds/gen/envoy/admin/v3/config_dump_shared_pb";
import { ClientStatusRequestSchema, ConfigStatus } from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import type { StringMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { clientStatus, type GivenType, type InspectedClient } from "./client-status.ts";

const given: GivenType = {
  typeUrl: "type.googleapis.com/x",
  state: "synced",
  error: undefined,
  sentAtMs: 5_000,
  resources: [{ name: "r", version: "v7", body: new Uint8Array([1]) }],
  missing: [],
};
const clientOf = (nodeId: string, type: Partial<GivenType> = {}): InspectedClient => ({
  nodeId,
  dataPlane: "envoy/1.40.0",
  types: [{ ...given, ...type }],
});
const ask = (
  request: MessageInitShape<typeof ClientStatusRequestSchema>,
  clients: InspectedClient[] = [clientOf("sidecar~a"), clientOf("sidecar~B")],
) => clientStatus(create(ClientStatusRequestSchema, request), clients).config;
type Pattern = StringMatcher["matchPattern"];
const byId = (matchPattern: Pattern, ignoreCase = false) => ({
  nodeMatchers: [{ nodeId: { matchPattern, ignoreCase } as StringMatcher }],
});
const regex = (text: string): Pattern =>
  ({ case: "safeRegex", value: { regex: text } }) as Extract<Pattern, { case: "safeRegex" }>;

describe("who is shown", () => {
  const cases: [name: string, request: Parameters<typeof ask>[0], ids: string[]][] = [
    ["everyone, unless asked otherwise", {}, ["sidecar~a", "sidecar~B"]],
    ["by exact id", byId({ case: "exact", value: "sidecar~a" }), ["sidecar~a"]],
    ["by prefix", byId({ case: "prefix", value: "sidecar~" }), ["sidecar~a", "sidecar~B"]],
    ["by suffix, whatever the case", byId({ case: "suffix", value: "b" }, true), ["sidecar~B"]],
    ["by a part", byId({ case: "contains", value: "~B" }), ["sidecar~B"]],
    ["by an expression of the whole id", byId(regex("side.*a")), ["sidecar~a"]],
    ["nobody by an expression of a part", byId(regex("car")), []],
  ];
  for (const [name, request, ids] of cases) {
    it(name, () =>
      assert.deepEqual(
        ask(request).map(({ node }) => node?.id),
        ids,
      ),
    );
  }

  const refused: [name: string, request: Parameters<typeof ask>[0]][] = [
    ["metadata", { nodeMatchers: [{ nodeMetadatas: [{}] }] }],
    ["an expression that is none", byId(regex("("))],
    ["a matcher without a pattern", byId({ case: undefined })],
  ];
  for (const [name, request] of refused) {
    it(`not by ${name}, which is refused`, () => {
      assert.throws(
        () => ask(request),
        (e) => e instanceof GrpcError && e.code === grpcCode.invalidArgument,
      );
    });
  }
});

describe("what is shown", () => {
  it("is each resource with its version, and the names that do not exist", () => {
    const [config] = ask({}, [clientOf("a", { missing: ["gone"] })]);
    const [found, gone] = config!.genericXdsConfigs;
    assert.deepEqual(
      [found!.name, found!.versionInfo, found!.configStatus],
      ["r", "v7", ConfigStatus.SYNCED],
    );
    assert.deepEqual([...found!.xdsConfig!.value], [1]);
    assert.equal(found!.lastUpdated!.seconds, 5n);
    assert.deepEqual([gone!.name, gone!.clientStatus], ["gone", ClientResourceStatus.DOES_NOT_EXIST]);
  });

  it("is why a client refused it", () => {
    const [config] = ask({}, [clientOf("a", { state: "nacked", error: "bad port" })]);
    const [refused] = config!.genericXdsConfigs;
    assert.deepEqual(
      [refused!.configStatus, refused!.clientStatus, refused!.errorState!.details],
      [ConfigStatus.ERROR, ClientResourceStatus.NACKED, "bad port"],
    );
  });

  it("is bounded: more than an answer holds is refused, unless contents are left out", () => {
    const large = { resources: [{ name: "r", version: "v", body: new Uint8Array(20 << 20) }] };
    const clients = [clientOf("a", large), clientOf("b", large)];
    assert.throws(() => ask({}, clients), /exclude_resource_contents/);
    assert.equal(ask({ excludeResourceContents: true }, clients).length, 2);
    assert.equal(ask(byId({ case: "exact", value: "a" }), clients).length, 1);
  });
});
