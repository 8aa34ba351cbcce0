import assert from "node:assert/strict";
import { after, before, describe, it, test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { noKubernetes, TestKubernetes } from "@weft/testkit/kubernetes";
import { parseConfig } from "./parse-config.ts";

type Document = { readonly kind: string; readonly metadata: { readonly name: string } } & Record<
  string,
  unknown
>;

const slice = (fields: object): Document => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "a" },
  addressType: "IPv4",
  ...fields,
});
const endpoints = (...subsets: object[]): Document => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { name: "a" },
  subsets,
});
const at = (...addresses: string[]) => ({ endpoints: [{ addresses }] });
const http = { name: "http", port: 80 };

const taken: readonly [name: string, document: Document][] = [
  ["a slice without endpoints", slice({ endpoints: [] })],
  ["IPv4 addresses", slice(at("192.0.2.1", "192.0.2.2"))],
  ["IPv6 addresses", slice({ addressType: "IPv6", ...at("2001:db8::1") })],
  ["ports, one of them without a name", slice({ ...at("192.0.2.1"), ports: [http, { port: 81 }] })],
  ["a port without a number", slice({ ...at("192.0.2.1"), ports: [{ name: "all" }] })],
  [
    "all that Kubernetes says of an endpoint",
    slice({
      ports: [{ ...http, protocol: "TCP", appProtocol: "kubernetes.io/h2c" }],
      endpoints: [
        {
          addresses: ["192.0.2.1"],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "one",
          nodeName: "node-1",
          zone: "b",
          hints: { forZones: [{ name: "b" }] },
          targetRef: { kind: "Pod", name: "one", namespace: "default", uid: "1" },
        },
      ],
    }),
  ],
  ["Endpoints", endpoints({ addresses: [{ ip: "192.0.2.1", hostname: "one" }], ports: [http] })],
  [
    "Endpoints of both families that are not ready",
    endpoints({ notReadyAddresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }] }),
  ],
  ["Endpoints of nothing", endpoints()],
];

const refused: readonly [name: string, document: Document, message: RegExp][] = [
  [
    "a slice without a type of addresses",
    slice({ ...at("192.0.2.1"), addressType: undefined }),
    /W1104: addressType is missing/,
  ],
  [
    "another type of addresses",
    slice({ ...at("192.0.2.1"), addressType: "IPX" }),
    /W1103: addressType: unknown value IPX/,
  ],
  ["an endpoint without addresses", slice(at()), /W1105: endpoints\[0\]\.addresses must NOT have fewer/],
  [
    "an address of the other family",
    slice(at("2001:db8::1")),
    /W1204: .*"2001:db8::1" is not an IPv4 address/,
  ],
  ["an IPv4 address where IPv6 is said", slice({ addressType: "IPv6", ...at("192.0.2.1") }), /W1204/],
  ["a name for an address", slice(at("a.example")), /W1204/],
  ["loopback", slice(at("127.0.0.1")), /W1204: .*another machine to each/],
  ["any address", slice(at("0.0.0.0")), /W1204/],
  ["an address of the link", slice({ addressType: "IPv6", ...at("fe80::1") }), /W1204/],
  [
    "two ports of one name",
    slice({ ...at("192.0.2.1"), ports: [http, { ...http, port: 81 }] }),
    /W1210: ports\[1\]|port http is written twice/,
  ],
  ["two ports without a name", slice({ ...at("192.0.2.1"), ports: [{ port: 80 }, { port: 81 }] }), /W1210/],
  [
    "a name that no port can have",
    slice({ ...at("192.0.2.1"), ports: [{ name: "HTTP", port: 80 }] }),
    /W1203/,
  ],
  ["a hostname of two parts", slice({ endpoints: [{ addresses: ["192.0.2.1"], hostname: "a.b" }] }), /W1203/],
  ["Endpoints with an empty subset", endpoints({ ports: [http] }), /W1104: subsets\[0\] has neither/],
  ["Endpoints at loopback", endpoints({ addresses: [{ ip: "127.0.0.1" }] }), /W1204/],
  ["Endpoints at a name", endpoints({ addresses: [{ ip: "a.example" }] }), /W1204/],
  [
    "Endpoints with a port that is none",
    endpoints({ addresses: [{ ip: "192.0.2.1" }], ports: [{ port: 0 }] }),
    /W1105/,
  ],
  [
    "Endpoints one of whose ports has no name",
    endpoints({ addresses: [{ ip: "192.0.2.1" }], ports: [http, { port: 81 }] }),
    /W1104: subsets\[0\]\.ports\[1\]\.name is missing/,
  ],
];

function parse(...documents: readonly unknown[]) {
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { resources, diagnostics } = parseConfig([{ name: "a.yaml", text }]);
  return { resources, said: diagnostics.map(formatDiagnostic) };
}

describe("where a Service is served may be written as", () => {
  for (const [name, document] of taken) {
    it(name, () => {
      const { resources, said } = parse(document);
      assert.equal(resources.length, 1, said.join("\n"));
    });
  }

  it("a name, which is refused as not supported", () => {
    const { resources, said } = parse(slice({ addressType: "FQDN", ...at("a.example") }));
    assert.equal(resources.length, 0);
    assert.match(said.join("\n"), /W1302: EndpointSlice\.addressType FQDN is not supported yet/);
  });
});

describe("where a Service is served is not", () => {
  for (const [name, document, message] of refused) {
    it(name, () => {
      const { resources, said } = parse(document);
      assert.equal(resources.length, 0);
      assert.match(said.join("\n"), message);
    });
  }
});

describe("Kubernetes' API server", { skip: noKubernetes ?? false }, () => {
  let cluster: TestKubernetes;
  before(async () => {
    cluster = await TestKubernetes.start();
  });
  after(() => cluster?.close());

  const pathOf = ({ kind }: Document) =>
    kind === "Endpoints"
      ? "/api/v1/namespaces/default/endpoints"
      : "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
  const named = (document: Document, name: string) => ({
    ...document,
    metadata: { ...document.metadata, name },
  });

  test("takes what is taken here, and what it then says of it is taken too", async () => {
    for (const [i, [name, document]] of taken.entries()) {
      await cluster
        .create(pathOf(document), named(document, `taken-${i}`))
        .catch((error) => assert.fail(`${name}: ${error}`));
      const { resources, said } = parse(await cluster.get(`${pathOf(document)}/taken-${i}`));
      assert.equal(resources.length, 1, `${name}: ${said.join("\n")}`);
    }
  });

  test("refuses what is refused here", async () => {
    for (const [i, [name, document]] of refused.entries()) {
      await assert.rejects(
        cluster.create(pathOf(document), named(document, `refused-${i}`)),
        / (400|422) /,
        name,
      );
    }
  });
});
