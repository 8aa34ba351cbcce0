import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { MeshError, UserError } from "@weft/base/errors";
import type { SpiffeId } from "@weft/identity/spiffe-id";
import { verifySvid } from "@weft/identity/verify-svid";
import { TestCa, type TestSvid } from "@weft/testkit/test-ca";
import { until } from "@weft/testkit/until";
import { AdsClient } from "@weft/xds/ads-client";
import { AdsServer } from "@weft/xds/ads-server";
import {
  ClientStatusDiscoveryService,
  ClientStatusResponseSchema,
} from "@weft/xds/gen/envoy/service/status/v3/csds_pb";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import { MetricsService } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { JwtSvidService } from "@weft/xds/gen/weft/ca/v1/jwt_svid_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { typeUrl } from "@weft/xds/type-url";
import type { CertificateRequest } from "../ca/certificate-request.ts";
import { RequestHub } from "../observe/request-hub.ts";
import { operatorsOf } from "./client-status-routes.ts";
import { GrpcListeners } from "./grpc-listeners.ts";

const ca = new TestCa();
const identity = "spiffe://cluster.local/ns/default/sa/productpage";
const createCertificate = IstioCertificateService.method.createCertificate;
const cleanups: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

function serving(dnsName: string) {
  const svid = ca.leaf("weft-system", "weft-control-plane", { dnsNames: [dnsName] });
  return { key: svid.keyPem, certificateChain: svid.chainPem, trustBundle: ca.bundlePem };
}

async function open(expiry?: string) {
  const requests: CertificateRequest[] = [];
  const measured: SpiffeId[] = [];
  const peers: (string | undefined)[] = [];
  const gone = Promise.withResolvers<number>();
  const ads = new AdsServer({
    clock: systemClock,
    admit: (_, peer) => void peers.push(peer.spiffeId),
    events: {
      onConnected: (session) => session.setSnapshot({ byType: new Map() }),
      onDisconnected: () => gone.resolve(Date.now()),
    },
  });
  const listeners = await GrpcListeners.open({
    clock: systemClock,
    plain: { host: "127.0.0.1", port: 0 },
    secure: { host: "127.0.0.1", port: 0 },
    tls: serving("localhost"),
    ads,
    identifyPeer: (chain) => ({ spiffeId: verifySvid(chain, ca.bundle, Date.now()), expiry }),
    issueJwtSvid: () => Promise.reject(new Error("unused")),
    async createCertificate(request) {
      requests.push(request);
      if (request.csrPem === "away")
        throw new MeshError("no signer", { source: "internal", isRetrySafe: true });
      if (!request.auth) return { isIssued: false, code: "unauthenticated", message: "show a token" };
      const spiffeId = identity as SpiffeId;
      return {
        isIssued: true,
        chainPem: ["leaf", "root"],
        spiffeId,
        serial: "1",
        notBeforeMs: 0,
        notAfterMs: 1,
      };
    },
    takeMetrics: (_, peer) => void measured.push(peer),
    requests: new RequestHub({ clock: systemClock, workloadIds: () => [] }),
    admitAgent: () => assert.fail("nobody attaches"),
    clientStatus: () => create(ClientStatusResponseSchema),
    admitOperator: operatorsOf("istio-system"),
    onError: (error) => assert.fail(String(error)),
  });
  cleanups.push(() => listeners.close());
  return { listeners, ads, requests, measured, peers, gone: gone.promise };
}

function channel(port: number, svid?: TestSvid, servername = "localhost"): GrpcChannel {
  const made = new GrpcChannel({
    clock: systemClock,
    target: {
      address: { host: "127.0.0.1", port },
      tls: () => ({
        options: { ca: ca.bundlePem, servername, ...(svid ? { key: svid.keyPem, cert: svid.chainPem } : {}) },
      }),
    },
  });
  cleanups.push(() => made.close());
  return made;
}

const isStatus = (code: number, text: RegExp) => (error: unknown) =>
  error instanceof GrpcError && error.code === code && text.test(error.message);

describe("the certificate service", () => {
  it("passes on the token, or else the verified certificate, and answers with the chain", async () => {
    const { listeners, requests } = await open();
    const anonymous = channel(listeners.securePort);
    const metadata = [["authorization", "Bearer weft-join-v1.a.b.c"]] as const;
    const answer = await anonymous.unary(
      createCertificate,
      { csr: "csr", validityDuration: 60n },
      { metadata },
    );
    assert.deepEqual(answer.certChain, ["leaf", "root"]);
    await channel(listeners.securePort, ca.leaf()).unary(createCertificate, { csr: "csr" });
    assert.deepEqual(requests, [
      { csrPem: "csr", validitySeconds: 60, auth: { token: "weft-join-v1.a.b.c" }, address: "127.0.0.1" },
      { csrPem: "csr", validitySeconds: 0, auth: { peer: identity }, address: "127.0.0.1" },
    ]);
    await assert.rejects(
      anonymous.unary(createCertificate, { csr: "csr" }),
      isStatus(grpcCode.unauthenticated, /show a token/),
    );
    await assert.rejects(
      anonymous.unary(createCertificate, { csr: "away" }),
      isStatus(grpcCode.unavailable, /cannot sign at the moment/),
      "a signer that is away comes back: try again",
    );
  });

  it("is not to be had without TLS", async () => {
    const { listeners, requests } = await open();
    const target = { address: { host: "127.0.0.1", port: listeners.plainPort! } };
    const plain = new GrpcChannel({ clock: systemClock, target });
    cleanups.push(() => plain.close());
    await assert.rejects(plain.unary(createCertificate, {}), isStatus(grpcCode.unimplemented, /method/));
    assert.deepEqual(requests, []);
  });
});

describe("peers", () => {
  it("that were refused for their certificate are asked to connect anew, with the next one", async () => {
    const { listeners, measured } = await open();
    let svid = ca.badLeaves().expired!;
    const slept = new GrpcChannel({
      clock: systemClock,
      target: {
        address: { host: "127.0.0.1", port: listeners.securePort },
        tls: () => ({
          options: { ca: ca.bundlePem, servername: "localhost", key: svid.keyPem, cert: svid.chainPem },
        }),
      },
    });
    cleanups.push(() => slept.close());
    const ask = () => slept.unary(MetricsService.method.export, {});
    await assert.rejects(ask(), isStatus(grpcCode.unauthenticated, /expired/));
    svid = ca.leaf();
    // A call that comes before the server's word is one of the old connection.
    await until("one is taken", async () => {
      await ask().catch(() => undefined);
      return measured.length > 0;
    });
    assert.deepEqual(measured, [identity]);
  });

  it("whose certificate has expired may renew it, and get nothing else", async () => {
    const { listeners, requests, measured, peers } = await open("it expired yesterday");
    const slept = () => channel(listeners.securePort, ca.leaf());
    await slept().unary(createCertificate, { csr: "csr" });
    assert.deepEqual(requests[0]?.auth, { peer: identity });
    const refused = isStatus(grpcCode.unauthenticated, /not accepted: it expired yesterday/);
    await assert.rejects(slept().unary(MetricsService.method.export, {}), refused);
    await assert.rejects(slept().unary(JwtSvidService.method.issueJwtSvid, {}), refused);
    await assert.rejects(slept().unary(ClientStatusDiscoveryService.method.fetchClientStatus, {}), refused);
    assert.deepEqual([measured, peers], [[], []]);
  });

  for (const [name, svid] of Object.entries(ca.badLeaves())) {
    it(`with a certificate that is ${name} get nothing`, async () => {
      const { listeners, requests, measured } = await open();
      const bad = channel(listeners.securePort, svid);
      const refused = (error: unknown) =>
        error instanceof GrpcError &&
        [grpcCode.unauthenticated, grpcCode.unavailable].some((one) => one === error.code);
      await assert.rejects(bad.unary(createCertificate, { csr: "x" }), refused);
      await assert.rejects(bad.unary(MetricsService.method.export, {}), refused);
      assert.deepEqual([requests, measured], [[], []]);
    });
  }

  it("are named to ADS and metrics by their certificate", async () => {
    const { listeners, measured, peers, gone } = await open();
    const svid = ca.leaf();
    await channel(listeners.securePort, svid).unary(MetricsService.method.export, {});
    await assert.rejects(
      channel(listeners.securePort).unary(MetricsService.method.export, {}),
      isStatus(grpcCode.unauthenticated, /certificate/),
    );
    assert.deepEqual(measured, [identity]);
    const answered = Promise.withResolvers<void>();
    const client = new AdsClient({
      clock: systemClock,
      target: {
        address: { host: "127.0.0.1", port: listeners.securePort },
        tls: () => ({
          options: { ca: ca.bundlePem, servername: "localhost", key: svid.keyPem, cert: svid.chainPem },
        }),
      },
      node: () => ({ id: "agent~10.0.0.1~a.default~x" }),
      mode: "delta",
      handler: { onResources: () => answered.resolve() },
    });
    client.subscribe(typeUrl.nameTable, "*");
    client.start();
    await answered.promise;
    assert.deepEqual(peers, [identity]);
    client.close();
    await gone;
  });
});

describe("the listeners", () => {
  it("serve a new certificate while streams of the old one go on", async () => {
    const { listeners } = await open();
    const old = channel(listeners.securePort);
    const metadata = [["authorization", "Bearer t"]] as const;
    await old.unary(createCertificate, { csr: "1" }, { metadata });
    listeners.setTls(serving("weft-control-plane"));
    await old.unary(createCertificate, { csr: "2" }, { metadata });
    assert.equal(listeners.connections, 1);
    await assert.rejects(
      channel(listeners.securePort).unary(createCertificate, {}),
      isStatus(grpcCode.unavailable, /localhost/),
    );
    const next = channel(listeners.securePort, undefined, "weft-control-plane");
    await next.unary(createCertificate, { csr: "3" }, { metadata });
  });

  it("say which address is taken, and leave nothing bound", async () => {
    const { listeners } = await open();
    const taken = { host: "127.0.0.1", port: listeners.plainPort! };
    const attempt = GrpcListeners.open({
      clock: systemClock,
      plain: taken,
      secure: { host: "127.0.0.1", port: 0 },
      tls: serving("localhost"),
      ads: new AdsServer({
        clock: systemClock,
        admit() {},
        events: { onConnected() {}, onDisconnected() {} },
      }),
      identifyPeer: () => ({ spiffeId: identity }),
      createCertificate: () => Promise.reject(new Error("unused")),
      issueJwtSvid: () => Promise.reject(new Error("unused")),
      takeMetrics() {},
      requests: new RequestHub({ clock: systemClock, workloadIds: () => [] }),
      admitAgent: () => assert.fail("nobody attaches"),
      clientStatus: () => assert.fail("nobody asks"),
      admitOperator() {},
      onError() {},
    });
    await assert.rejects(attempt, (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, new RegExp(`127.0.0.1:${taken.port}`));
      assert.ok(error.hint);
      return true;
    });
  });

  it("notice a peer that went silent without closing", { timeout: 120_000 }, async () => {
    const { listeners, ads, gone } = await open();
    // Stands between client and server, and then passes nothing on any more: a host that lost its power.
    const sockets: Socket[] = [];
    const between = createServer((socket) => {
      const upstream = connectTcp(listeners.plainPort!, "127.0.0.1");
      sockets.push(socket, upstream);
      for (const end of [socket, upstream]) end.on("error", () => {});
      socket.pipe(upstream);
      upstream.pipe(socket);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => between.once("listening", resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      between.close();
    });
    const answered = Promise.withResolvers<void>();
    const client = new AdsClient({
      clock: systemClock,
      target: { address: { host: "127.0.0.1", port: (between.address() as AddressInfo).port } },
      node: () => ({ id: "agent~10.0.0.1~a.default~x" }),
      mode: "sotw",
      handler: { onResources: () => answered.resolve() },
    });
    cleanups.push(() => client.close());
    client.subscribe(typeUrl.nameTable, "*");
    client.start();
    await answered.promise;
    assert.equal(ads.sessions.length, 1);
    for (const socket of sockets) socket.unpipe().pause();
    await gone;
    assert.equal(ads.sessions.length, 0);
  });
});

describe("the state of all clients", () => {
  const fetch = ClientStatusDiscoveryService.method.fetchClientStatus;

  it("is for operators, by certificate", async () => {
    const { listeners } = await open();
    const port = listeners.securePort;
    const root = channel(port, ca.leaf("istio-system", "admin"));
    assert.deepEqual((await root.unary(fetch, {})).config, []);
    const workload = channel(port, ca.leaf("default", "productpage")).unary(fetch, {});
    await assert.rejects(
      workload,
      isStatus(grpcCode.permissionDenied, /only identities of namespace istio-system/),
    );
    await assert.rejects(channel(port).unary(fetch, {}), isStatus(grpcCode.unauthenticated, /certificate/));
  });

  it("is not to be had without TLS", async () => {
    const { listeners } = await open();
    const target = { address: { host: "127.0.0.1", port: listeners.plainPort! } };
    const plain = new GrpcChannel({ clock: systemClock, target });
    cleanups.push(() => plain.close());
    await assert.rejects(plain.unary(fetch, {}), isStatus(grpcCode.unimplemented, /method/));
  });
});
