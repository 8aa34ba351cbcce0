import assert from "node:assert/strict";
import { after, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { spkiPin } from "@weft/identity/certificate";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { bundleVersion } from "@weft/identity/trust-bundle";
import { TestCa } from "@weft/testkit/test-ca";
import { type AdsNode, AdsServer, type AdsSession } from "@weft/xds/ads-server";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import { WorkloadTemplateSchema } from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { GrpcServer } from "@weft/xds/grpc/grpc-server";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { typeUrl } from "@weft/xds/type-url";
import type { MeshName } from "../dns/mesh-names.ts";
import { assembleSvid } from "../enrolment/svid.ts";
import { Registration } from "./registration.ts";

/** What the control plane saw, in order, and a way to wait for more. */
class Seen {
  readonly events: string[] = [];
  #wake = () => {};

  add(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  async until(event: string, count = 1): Promise<void> {
    while (this.events.filter((one) => one === event).length < count) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

const ca = new TestCa();
const seen = new Seen();
const nodes: AdsNode[] = [];
let session: AdsSession | undefined;
let refusal: GrpcError | undefined;
const ads = new AdsServer({
  clock: systemClock,
  customTypes: [typeUrl.health, typeUrl.trustReport],
  admit(node) {
    seen.add("asked");
    if (refusal) throw refusal;
    nodes.push(node);
  },
  events: {
    onConnected(connected) {
      session = connected;
      const body = toBinary(
        NameTableSchema,
        create(NameTableSchema, {
          table: {
            "web.default.svc.cluster.local": { ips: ["240.240.0.1"], shortname: "web", namespace: "default" },
          },
        }),
      );
      const table = { name: "names", version: "1", body };
      const trust = { name: "ROOTCA", version: "1", body: secretOf(ca.bundlePem) };
      const template = toBinary(WorkloadTemplateSchema, create(WorkloadTemplateSchema, { ports: [9080] }));
      connected.setSnapshot({
        byType: new Map([
          [typeUrl.nameTable, new Map([["names", table]])],
          [typeUrl.secret, new Map([["ROOTCA", trust]])],
          [
            typeUrl.workloadTemplate,
            new Map([["template", { name: "template", version: "1", body: template }]]),
          ],
        ]),
      });
      seen.add("connected");
    },
    onDisconnected: () => seen.add("gone"),
    onCustomRequest: (_session, { typeUrl: type, error, names }) =>
      seen.add(type === typeUrl.trustReport ? `held ${names}` : (error ?? "healthy")),
  },
});
const server = new GrpcServer({
  clock: systemClock,
  routes: ads.routes("aggregated"),
  onError: (error) => assert.fail(String(error)),
});
const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
after(() => server.close());

test("the stream registers, gets names, tells health, and says it again after a reconnect", async () => {
  const names: (readonly MeshName[])[] = [];
  const said: string[] = [];
  const bundles: string[] = [];
  const registration = new Registration({
    clock: systemClock,
    target: { address: { host: "127.0.0.1", port } },
    node: {
      id: "agent~10.0.0.7~web-1.default~default.svc.cluster.local",
      cluster: "web.default",
      metadata: { NAME: "web-1" },
    },
    version: "0.1.0",
    onNames: (told) => {
      names.push(told);
      seen.add("names");
    },
    onKeySet: () => assert.fail("nobody sent keys"),
    onBundleMap: () => assert.fail("nobody sent bundles"),
    onBundle: (pem) => {
      bundles.push(pem);
      seen.add("bundle");
    },
    onTemplate: (said) => seen.add(`ports ${said?.ports.join()}`),
    talk: (line) => {
      said.push(line);
      seen.add("said");
    },
  });
  registration.start();
  await seen.until("the application does not accept connections yet");
  await seen.until("names");
  await seen.until("ports 9080");
  assert.equal(nodes[0]?.metadata.NAME, "web-1");
  assert.equal(nodes[0]?.userAgent, "weft-agent/0.1.0");
  assert.deepEqual(names[0], [
    {
      host: "web.default.svc.cluster.local",
      addresses: ["240.240.0.1"],
      shortName: "web",
      namespace: "default",
    },
  ]);

  registration.setHealth(undefined);
  await seen.until("healthy");
  session!.close(new GrpcError(grpcCode.unavailable, "restarting"));
  await seen.until("connected", 2);
  await seen.until("healthy", 2);
  await seen.until("said", 2);
  session!.close(new GrpcError(grpcCode.cancelled, "restarting again"));
  await seen.until("said", 4);
  assert.deepEqual(said, [
    "no connection to the control plane (restarting); trying on with what is known",
    "the control plane is back",
    "no connection to the control plane (restarting again); trying on with what is known",
    "the control plane is back",
  ]);

  await seen.until("bundle");
  assert.deepEqual(bundles, [ca.bundlePem]);
  const { keys, chainPem } = ca.leaf("default", "web");
  const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/default/sa/web");
  registration.setHeld(assembleSvid(chainPem, keys, { spiffeId, trustDomain: ca.trustDomain }, Date.now()));
  const held = `held ${bundleVersion(ca.bundle)},${spkiPin(ca.root)}`;
  await seen.until(held);
  session!.close(new GrpcError(grpcCode.unavailable, "restarting"));
  await seen.until(held, 2);

  registration.setHealth("the application is being stopped");
  await seen.until("the application is being stopped");
  registration.close();
  await seen.until("gone", 4);
});

test("a registration that is refused says so, with the reason", async () => {
  refusal = new GrpcError(grpcCode.permissionDenied, 'SERVICE_ACCOUNT is "api"');
  const before = seen.events.filter((event) => event === "asked").length;
  const said: string[] = [];
  const registration = new Registration({
    clock: systemClock,
    target: { address: { host: "127.0.0.1", port } },
    node: { id: "agent", cluster: "", metadata: {} },
    version: "0.1.0",
    onNames: () => assert.fail("names for a refused workload"),
    onBundle: () => assert.fail("trust for a refused workload"),
    onKeySet: () => assert.fail("keys for a refused workload"),
    onBundleMap: () => assert.fail("bundles for a refused workload"),
    talk: (line) => {
      said.push(line);
      seen.add("refused");
    },
  });
  registration.start();
  await seen.until("refused");
  await seen.until("asked", before + 3);
  registration.close();
  assert.equal(said.length, 1, "once, however often it is refused");
  assert.match(said[0]!, /the control plane refuses this workload: SERVICE_ACCOUNT is "api"/);
});

function secretOf(bundlePem: string): Uint8Array {
  const trustedCa = { specifier: { case: "inlineString" as const, value: bundlePem } };
  const secret = create(SecretSchema, {
    name: "ROOTCA",
    type: { case: "validationContext", value: { trustedCa } },
  });
  return toBinary(SecretSchema, secret);
}
