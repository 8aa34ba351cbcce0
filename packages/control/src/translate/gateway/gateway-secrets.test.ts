import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { TestCa } from "@weft/testkit/test-ca";
import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { UpstreamTlsContextSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { debugPages } from "../../inspect/debug-pages.ts";
import { SnapshotBuilder } from "../../snapshot/snapshot-builder.ts";
import { asYaml, fixture, type Scenario } from "../mesh-fixture.ts";
import { translateSidecar } from "../translate-sidecar.ts";

const ca = new TestCa();
const site = ca.leaf(undefined, undefined, { dnsNames: ["site.example.com"] });
const renewed = ca.leaf(undefined, undefined, { dnsNames: ["site.example.com"] });

const gateway = { service: "", isGateway: true, interception: "NONE", ports: [] } as const;
const scenario: Scenario = {
  workloads: [
    { ...gateway, name: "edge", namespace: "front" },
    { ...gateway, name: "edge", namespace: "other" },
    { service: "web", namespace: "front" },
  ],
};

const servers = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: front }
spec:
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: [site.example.com]
      tls: { mode: MUTUAL, credentialName: site }
`;

function secret(values: Record<string, string>, more = "", field: "data" | "stringData" = "data"): string {
  const lines = Object.entries(values).map(([key, value]) => {
    const text = field === "data" ? Buffer.from(value).toString("base64") : JSON.stringify(value);
    return `    ${key}: ${text}`;
  });
  return `apiVersion: v1\nkind: Secret\nmetadata: { name: site, namespace: front }\n${more}${field}:\n${lines.join("\n")}\n`;
}

const complete = { "tls.crt": site.chainPem, "tls.key": site.keyPem, "ca.crt": ca.bundlePem };
const yaml = (text: string) => `${servers}---\n${text}`;

function secretsOf(text: string, id: string): Record<string, string> {
  const { mesh } = fixture(scenario, yaml(text));
  const { secret: given } = translateSidecar(mesh, mesh.workloads.get(id)!);
  return Object.fromEntries(given.map(({ name, message }) => [name, JSON.stringify(message)]));
}

describe("a Secret that a Gateway names", () => {
  const forms: [name: string, text: string][] = [
    ["of type kubernetes.io/tls", secret(complete, "type: kubernetes.io/tls\n")],
    ["with Istio's keys", secret({ cert: site.chainPem, key: site.keyPem, cacert: ca.bundlePem })],
    ["as plain text", secret(complete, "type: Opaque\n", "stringData")],
    [
      "with what verifies clients in another beside it",
      `${secret({ "tls.crt": site.chainPem, "tls.key": site.keyPem })}---\n${secret({ cacert: ca.bundlePem }).replace("name: site", "name: site-cacert")}`,
    ],
  ];
  for (const [name, text] of forms) {
    it(`is given to the gateway of its namespace, ${name}`, () => {
      const given = Object.keys(secretsOf(text, "edge.front"));
      assert.deepEqual(given, ["kubernetes://site", "kubernetes://site-cacert"]);
    });
  }

  it("is given to no gateway of another namespace, and to no sidecar", () => {
    const text = secret(complete);
    assert.deepEqual(secretsOf(text, "edge.other"), {});
    assert.deepEqual(secretsOf(text, "web-v1.front"), {});
  });

  it("is a new resource when it is renewed, and nothing else is", () => {
    const builder = new SnapshotBuilder();
    const snapshotOf = (text: string) =>
      builder.build(fixture(scenario, yaml(text)).mesh, { id: "edge.front" }).byType;
    const before = snapshotOf(secret(complete));
    const after = snapshotOf(secret({ ...complete, "tls.crt": renewed.chainPem, "tls.key": renewed.keyPem }));
    const changed = [...after].filter(([type, map]) =>
      [...map].some(([name, { version }]) => before.get(type)!.get(name)?.version !== version),
    );
    assert.deepEqual(
      changed.map(([type]) => type.split(".").at(-1)),
      ["Secret"],
    );
  });

  it("leaves its key out of whatever is printed of the mesh and of the configuration", () => {
    const { mesh, input } = fixture(scenario, yaml(secret(complete)));
    const printed = [
      asYaml(mesh),
      inspect(mesh, { depth: 20 }),
      JSON.stringify(debugPages.configz({ mesh, proxies: [], resources: input.resources })),
      `${mesh.secrets.get("front/site")!.certificate!.key}`,
    ].join("\n");
    const keyLine = site.keyPem.split("\n")[1]!;
    assert.ok(mesh.secrets.get("front/site")!.certificate!.key.reveal().includes(keyLine));
    assert.ok(!printed.includes(keyLine) && !printed.includes("PRIVATE KEY"));
    assert.ok(!printed.includes(Buffer.from(site.keyPem).toString("base64").slice(60, 120)));
  });
});

describe("a Secret that a DestinationRule names", () => {
  const rule = (mode: string) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner, namespace: front }
spec: { hosts: [partner.example], resolution: DNS, ports: [{ number: 443, name: https, protocol: HTTPS }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: partner, namespace: front }
spec: { host: partner.example, trafficPolicy: { tls: { mode: ${mode}, credentialName: site } } }
---
`;
  const cluster = "outbound|443||partner.example";
  const clusterOf = (text: string, id: string) => {
    const { mesh, findings } = fixture(scenario, text);
    const given = translateSidecar(mesh, mesh.workloads.get(id)!);
    const { message } = given.cluster.find(({ name }) => name === cluster)!;
    const socket = (message as Cluster).transportSocket?.configType;
    const tls =
      socket?.case === "typedConfig" ? anyUnpack(socket.value, UpstreamTlsContextSchema) : undefined;
    return {
      findings,
      type: (message as Cluster).clusterDiscoveryType.value,
      tls: tls?.commonTlsContext,
      secrets: given.secret.map(({ name }) => name),
    };
  };

  it("is shown to the server by gateways of its namespace, and verifies it", () => {
    const { tls, secrets, findings } = clusterOf(rule("MUTUAL") + secret(complete), "edge.front");
    assert.deepEqual(
      tls?.tlsCertificateSdsSecretConfigs.map(({ name }) => name),
      ["kubernetes://site"],
    );
    assert.equal(tls?.validationContextType.case, "combinedValidationContext");
    assert.deepEqual(secrets, ["kubernetes://site", "kubernetes://site-cacert"]);
    assert.match(findings.join("\n"), /gateways of other have no Secret site/);
  });

  it("is nothing to a sidecar, which verifies by the system's authorities and shows no certificate", () => {
    const { tls, secrets } = clusterOf(rule("MUTUAL") + secret(complete), "web-v1.front");
    assert.deepEqual(secrets, []);
    assert.deepEqual(tls?.tlsCertificateSdsSecretConfigs, []);
    assert.equal(tls?.validationContextType.case, "validationContext");
  });

  const lacking: [name: string, mode: string, text: string][] = [
    ["there is none", "SIMPLE", ""],
    ["it has no certificate to show", "MUTUAL", secret({ cacert: ca.bundlePem })],
    ["nothing verifies the server", "SIMPLE", secret({ cert: site.chainPem, key: site.keyPem })],
  ];
  for (const [name, mode, text] of lacking) {
    it(`answers calls with 503 where ${name}, rather than making the gateway wait`, () => {
      const { tls, type, findings } = clusterOf(rule(mode) + text, "edge.front");
      assert.deepEqual([tls, type], [undefined, DiscoveryType.STATIC]);
      assert.match(
        findings.join("\n"),
        /warning IST0101: DestinationRule front\/partner: gateways of front have no Secret site/,
      );
    });
  }
});

describe("a Secret that no gateway could serve", () => {
  const key = "PRIVATE";
  const cases: [name: string, text: string, expected: RegExp][] = [
    [
      "the key of another certificate",
      secret({ ...complete, "tls.key": renewed.keyPem }),
      /W1215: data\["tls.key"\] is not the key/,
    ],
    [
      "no key",
      secret({ "tls.crt": site.chainPem }, "type: kubernetes.io/tls\n"),
      /W1104: data\["tls.key"\] is missing/,
    ],
    [
      "a key that is none",
      secret({ ...complete, "tls.key": `-----BEGIN ${key} KEY-----\nsecret\n` }),
      /holds no private key/,
    ],
    ["a certificate that is none", secret({ ...complete, "tls.crt": "secret" }), /holds no certificate/],
    [
      "what is not base64",
      secret(complete).replace(/tls.key: .*/, "tls.key: secret!"),
      /W1215: data\["tls.key"\] is not base64/,
    ],
    [
      "a number",
      secret(complete).replace(/tls.key: .*/, "tls.key: 271828"),
      /must be a string, not another type/,
    ],
  ];
  for (const [name, text, expected] of cases) {
    it(`is refused, and quoted nowhere: ${name}`, () => {
      const { findings, mesh } = fixture(scenario, yaml(text));
      assert.match(findings.join("\n"), expected);
      assert.doesNotMatch(findings.join("\n"), /271828|"secret|secret!/);
      assert.equal(mesh.secrets.size, 0);
    });
  }

  it("is not kept at all where it holds no certificate", () => {
    const { findings, input } = fixture(scenario, yaml(secret({ password: "hunter2" })));
    assert.match(findings.join("\n"), /info W1304: Secret "site" holds no certificate/);
    assert.equal(input.resources.filter(({ kind }) => kind === "Secret").length, 0);
    assert.doesNotMatch(JSON.stringify(input.resources), /hunter2|aHVudGVyMg/);
  });

  it("closes the server's connections while it is missing, and says so", () => {
    const { findings, mesh } = fixture(scenario, servers);
    assert.match(
      findings.join("\n"),
      /warning IST0101: Gateway front\/edge .* there is no Secret front\/site with a certificate/,
    );
    const [listener] = translateSidecar(mesh, mesh.workloads.get("edge.front")!).listener;
    assert.doesNotMatch(
      JSON.stringify(listener, (_, v) => (typeof v === "bigint" ? `${v}` : v)),
      /transport_sockets.tls/,
    );
  });
});
