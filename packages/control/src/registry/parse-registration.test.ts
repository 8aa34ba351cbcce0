import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@weft/base/errors";
import fc from "@weft/testkit/properties";
import { parseRegistration } from "./parse-registration.ts";

const identity = { namespace: "default", serviceAccount: "reviews" };
const id = "agent~10.1.0.7~reviews-v1-7f3a.default~default.svc.cluster.local";
const metadata = {
  NAME: "reviews-v1-7f3a",
  WORKLOAD_NAME: "reviews-v1",
  NAMESPACE: "default",
  SERVICE_ACCOUNT: "reviews",
  SERVICE: "reviews",
  LABELS: { app: "reviews", version: "v1" },
  INSTANCE_IPS: "10.1.0.7,fd00::7",
  INTERCEPTION_MODE: "REDIRECT",
  APP_PORTS: [{ port: 9080, protocol: "http", name: "http" }],
};

test("a complete node becomes a workload that is unhealthy as yet", () => {
  assert.deepEqual(parseRegistration({ id, metadata }, identity), {
    id: "reviews-v1-7f3a.default",
    name: "reviews-v1-7f3a",
    workloadName: "reviews-v1",
    namespace: "default",
    serviceAccount: "reviews",
    service: "reviews",
    labels: { app: "reviews", version: "v1" },
    addresses: ["10.1.0.7", "fd00::7"],
    ports: [{ port: 9080, protocol: "http", name: "http", listenPort: 9080 }],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: false,
    hasSidecar: true,
  });
});

test("without interception, listen ports and upstreams are taken", () => {
  const upstreams = [{ host: "ratings", port: 9080, bindAddress: "127.0.0.1", bindPort: 20000 }];
  const workload = parseRegistration(
    {
      id,
      metadata: {
        ...metadata,
        INTERCEPTION_MODE: "NONE",
        APP_PORTS: [{ port: 9080, protocol: "http", name: "http", listenPort: 19080 }],
        UPSTREAMS: upstreams,
      },
    },
    identity,
  );
  assert.equal(workload.ports[0]!.listenPort, 19080);
  assert.deepEqual(workload.upstreams, upstreams);
});

test("a node stands where it says, and nowhere where it says nothing", () => {
  const at = (region: string, zone = "") => ({ region, zone, subZone: "" });
  const standing = (locality: ReturnType<typeof at>) =>
    parseRegistration({ id, metadata, locality }, identity).locality;
  assert.deepEqual(standing(at("west", "b")), at("west", "b"));
  assert.equal(standing(at("")), undefined);
  assert.throws(() => standing(at("west", "*")), /the locality has a part "\*"/);
});

test("a gateway is one by its own word, and captures nothing", () => {
  const gateway = { ...metadata, INTERCEPTION_MODE: "NONE", GATEWAY: true };
  assert.equal(parseRegistration({ id, metadata: gateway }, identity).isGateway, true);
  for (const wrong of [{ INTERCEPTION_MODE: "REDIRECT" }, { GATEWAY: "yes" }]) {
    assert.throws(() => parseRegistration({ id, metadata: { ...gateway, ...wrong } }, identity), MeshError);
  }
});

const refused: readonly (readonly [string, { id?: string; metadata?: Record<string, unknown> }, RegExp])[] = [
  [
    "a namespace that is not the certificate's",
    { metadata: { NAMESPACE: "payments" } },
    /namespace "default"/,
  ],
  [
    "a node id in another namespace",
    { id: "agent~10.1.0.7~reviews-v1-7f3a.payments~payments.svc.cluster.local" },
    /certificate is for namespace "default"/,
  ],
  [
    "a service account that is not the certificate's",
    { metadata: { SERVICE_ACCOUNT: "admin" } },
    /for "reviews"/,
  ],
  ["a sidecar that tries to register", { id: id.replace("agent", "sidecar") }, /only an agent/],
  ["a node id without an address", { id: id.replace("10.1.0.7", "here") }, /no IP address/],
  [
    "an address that is none",
    { metadata: { INSTANCE_IPS: "10.1.0.7,localhost" } },
    /"localhost" is not an IP/,
  ],
  ["a port beyond 65535", { metadata: { APP_PORTS: [{ port: 70000, protocol: "http" }] } }, /1–65535/],
  ["a port as text", { metadata: { APP_PORTS: [{ port: "9080", protocol: "http" }] } }, /1–65535/],
  [
    "an unknown protocol",
    { metadata: { APP_PORTS: [{ port: 1, protocol: "smtp" }] } },
    /unknown protocol "smtp"/,
  ],
  [
    "the same port twice",
    {
      metadata: {
        APP_PORTS: [
          { port: 1, protocol: "tcp" },
          { port: 1, protocol: "http" },
        ],
      },
    },
    /port 1 twice/,
  ],
  [
    "upstreams with interception",
    { metadata: { UPSTREAMS: [{ host: "a", port: 1, bindAddress: "127.0.0.1", bindPort: 1 }] } },
    /need INTERCEPTION_MODE NONE/,
  ],
  [
    "too many labels",
    { metadata: { LABELS: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, "x"])) } },
    /more than 64/,
  ],
  ["a label that is an object", { metadata: { LABELS: { app: {} } } }, /"app" is not a short text/],
  ["a name with a line break", { metadata: { WORKLOAD_NAME: "a\nb" } }, /WORKLOAD_NAME/],
  [
    "an instance other than the node id's",
    { metadata: { NAME: "reviews-v1-0000" } },
    /not the instance of the node id/,
  ],
];

for (const [name, change, message] of refused) {
  test(`refuses ${name}`, () => {
    const node = { id: change.id ?? id, metadata: { ...metadata, ...change.metadata } };
    assert.throws(
      () => parseRegistration(node, identity),
      (error: Error) => {
        assert.ok(error instanceof MeshError);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("names every problem at once", () => {
  const node = {
    id,
    metadata: { ...metadata, INTERCEPTION_MODE: "TPROXY", INSTANCE_IPS: "x", NAMESPACE: "other" },
  };
  assert.throws(() => parseRegistration(node, identity), /TPROXY.*"x" is not an IP.*namespace is "other"/);
});

test("whatever a node sends, the answer is a workload of that identity or a refusal", () => {
  const key = fc.constantFrom(...Object.keys(metadata), "UPSTREAMS");
  fc.assert(
    fc.property(fc.string(), fc.dictionary(key, fc.jsonValue()), (suffix, changes) => {
      try {
        const workload = parseRegistration(
          { id: id + suffix, metadata: { ...metadata, ...changes } },
          identity,
        );
        assert.equal(workload.namespace, identity.namespace);
        assert.equal(workload.serviceAccount, identity.serviceAccount);
      } catch (error) {
        assert.ok(error instanceof MeshError);
      }
    }),
  );
});
