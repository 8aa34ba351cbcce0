import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

function findings(text: string, name = "mesh.yaml"): string[] {
  return parseConfig([{ name, text }]).diagnostics.map(formatDiagnostic);
}

const head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: reviews }\nspec:\n";
const rule =
  "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: reviews }\nspec:\n";
const sidecar = "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: a }\nspec:\n";
const policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec:\n";
const route = "  hosts: [reviews]\n  http:\n    - route: [{ destination: { host: reviews } }]\n";

describe("input that is wrong is refused with its place and a next step", () => {
  const cases: [name: string, text: string, ...expected: string[]][] = [
    [
      "a syntax error",
      "apiVersion: v1\nkind: [Service\n",
      "mesh.yaml:3:1: error W1001: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ] (align the keys of one map)",
    ],
    [
      "a key written twice",
      "apiVersion: v1\nkind: Service\nkind: Service\n",
      "mesh.yaml:3:1: error W1001: not valid YAML: Map keys must be unique (remove one of the two)",
    ],
    [
      "a document that is no resource",
      "- a\n- b\n",
      "mesh.yaml:1:1: error W1006: the document is not a resource (write apiVersion, kind, metadata, spec)",
    ],
    [
      "an unknown kind",
      "apiVersion: networking.istio.io/v1\nkind: VirtualServise\nmetadata: { name: a }\n",
      'mesh.yaml:2:7: error W1007: unknown kind VirtualServise (networking.istio.io/v1) (did you mean "VirtualService"?)',
    ],
    [
      "a wrong apiVersion",
      "apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: { name: a }\n",
      'mesh.yaml:1:13: error W1008: VirtualService has no apiVersion networking.istio.io/v2 (did you mean "networking.istio.io/v1"?)',
    ],
    [
      "an unknown field",
      `${head}${route}      timeot: 5s\n`,
      'mesh.yaml:8:7: error W1101: unknown field spec.http[0].timeot (did you mean "timeout"?)',
    ],
    [
      "a field of another level",
      `${head}  hosts: [reviews]\n  match: []\n`,
      "mesh.yaml:6:3: error W1101: unknown field spec.match (known here: exportTo, gateways, hosts, http, tcp, tls)",
    ],
    [
      "a wrong type",
      `${head}${route}      timeout: 5\n`,
      'mesh.yaml:8:16: error W1102: spec.http[0].timeout must be a string, not the number 5 (write it in quotes: "5")',
    ],
    [
      "a map where a list belongs",
      `${head}  hosts: [reviews]\n  http: { route: [] }\n`,
      "mesh.yaml:6:3: error W1102: spec.http must be a list, not a map",
    ],
    [
      "an unknown value",
      `${rule}  host: reviews\n  trafficPolicy: { tls: { mode: ISTIO_MUTAL } }\n`,
      'mesh.yaml:6:33: error W1103: spec.trafficPolicy.tls.mode: unknown value ISTIO_MUTAL (did you mean "ISTIO_MUTUAL"?)',
    ],
    [
      "a required field left out",
      `${rule}  subsets: []\n`,
      'mesh.yaml:4:1: error W1104: spec.host is missing (add "host:" here)',
    ],
    [
      "two alternatives at once",
      `${head}  hosts: [reviews]\n  http:\n    - match: [{ uri: { exact: /a, prefix: /b } }]\n      route: [{ destination: { host: r } }]\n`,
      "mesh.yaml:7:17: error W1106: spec.http[0].match[0].uri sets exact and prefix at once (only one of them can apply: remove the others)",
    ],
    [
      "a duration that is none",
      `${head}${route}      timeout: soon\n`,
      'mesh.yaml:8:16: error W1201: spec.http[0].timeout: "soon" is not a duration (write for example "5s", "250ms" or "1m30s")',
    ],
    [
      "a regular expression that backtracks",
      `${head}  hosts: [reviews]\n  http:\n    - match: [{ uri: { regex: "(?=a)" } }]\n      route: [{ destination: { host: r } }]\n`,
      "mesh.yaml:7:31: error W1202: spec.http[0].match[0].uri.regex is not a regular expression in RE2 syntax: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    [
      "weights that add up to nothing",
      `${head}  hosts: [r]\n  http:\n    - route: [{ destination: { host: a } }, { destination: { host: b } }]\n`,
      "mesh.yaml:7:7: error W1205: the weights of spec.http[0].route add up to 0 (give each destination a weight)",
    ],
    [
      "a rule that does nothing",
      `${head}  hosts: [r]\n  http:\n    - name: empty\n`,
      "mesh.yaml:7:7: error W1207: spec.http[0] does nothing (add one of route, redirect, directResponse, delegate)",
    ],
    [
      "mirror and mirrors at once",
      `${head}${route}      mirror: { host: a }\n      mirrors: [{ destination: { host: b } }]\n`,
      "mesh.yaml:9:7: error W1106: spec.http[0] sets mirror and mirrors at once (write mirrors only)",
    ],
    [
      "a gRPC status that is none",
      `${head}${route}      fault: { abort: { grpcStatus: UNAVAILABEL } }\n`,
      'mesh.yaml:8:37: error W1103: spec.http[0].fault.abort.grpcStatus: unknown value UNAVAILABEL (did you mean "UNAVAILABLE"?)',
    ],
    [
      "a Maglev table whose size is no prime",
      `${rule}  host: r\n  trafficPolicy: { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 100 } } } }\n`,
      "mesh.yaml:6:94: error W1105: spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: 100 is not a prime number (for example 65537)",
    ],
    [
      "a tunnel by another method",
      `${rule}  host: r\n  trafficPolicy: { tunnel: { protocol: GET, targetHost: db.example, targetPort: 5432 } }\n`,
      "mesh.yaml:6:40: error W1103: spec.trafficPolicy.tunnel.protocol: unknown value GET (one of CONNECT, POST)",
    ],
    [
      "an export to everyone and to one more",
      `${rule}  host: r\n  exportTo: ["*", shop]\n`,
      'mesh.yaml:6:14: error W1106: exportTo: "*" is every namespace, and there are others beside it (keep one)',
    ],
    [
      "an export to what is no namespace",
      `${rule}  host: r\n  exportTo: [Shop]\n`,
      'mesh.yaml:6:14: error W1213: exportTo: "Shop" is not a namespace (write "." for its own namespace, "*" for all, "~" for none, or a namespace)',
    ],
    [
      "an export to the own namespace twice, in a Service's annotation",
      "apiVersion: v1\nkind: Service\nmetadata: { name: a, annotations: { networking.istio.io/exportTo: '., default' } }\nspec: {}\n",
      "mesh.yaml:3:67: error W1210: exportTo names default twice (remove one of them)",
    ],
    [
      "a list of revoked certificates where none is verified",
      `${rule}  host: r\n  trafficPolicy: { tls: { mode: SIMPLE, insecureSkipVerify: true, caCrl: /ca.crl } }\n`,
      "mesh.yaml:6:74: error W1106: spec.trafficPolicy.tls sets insecureSkipVerify and caCrl at once (keep one of them)",
    ],
    [
      "a list of revoked certificates beside a Secret",
      `${rule}  host: r\n  trafficPolicy: { tls: { mode: SIMPLE, credentialName: c, caCrl: /ca.crl } }\n`,
      "mesh.yaml:6:67: error W1106: spec.trafficPolicy.tls sets credentialName and caCrl at once (keep one of them)",
    ],
    [
      "a list of revoked certificates for members of the mesh",
      `${rule}  host: r\n  trafficPolicy: { tls: { mode: ISTIO_MUTUAL, caCrl: /ca.crl } }\n`,
      "mesh.yaml:6:54: error W1106: spec.trafficPolicy.tls.caCrl cannot be set with ISTIO_MUTUAL (remove it)",
    ],
    [
      "TLS of an ingress listener for plain HTTP",
      `${sidecar}  ingress: [{ port: { number: 80, protocol: HTTP, name: h }, tls: { mode: SIMPLE, serverCertificate: /a, privateKey: /b } }]\n`,
      "mesh.yaml:5:62: error W1106: spec.ingress[0].tls is for HTTPS and TLS, and the port's protocol is HTTP (write protocol: HTTPS where the application speaks HTTP, else TLS)",
    ],
    [
      "TLS of an ingress listener without a certificate",
      `${sidecar}  ingress: [{ port: { number: 80, protocol: HTTPS, name: h }, tls: { mode: SIMPLE } }]\n`,
      "mesh.yaml:5:63: error W1104: spec.ingress[0].tls needs a certificate (name the files serverCertificate and privateKey)",
    ],
    [
      "a probe by no command",
      "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\nmetadata: { name: a }\nspec:\n  template: { ports: { http: 0 } }\n  probe: { exec: { command: [] } }\n",
      "mesh.yaml:5:30: error W1208: spec.template.ports.http: 0 is not a port (1 to 65535)",
      "mesh.yaml:6:20: error W1104: spec.probe.exec.command is empty (name a program)",
    ],
    [
      "an egress host without its namespace",
      `${sidecar}  egress: [{ hosts: [api.default.svc.cluster.local] }]\n`,
      'mesh.yaml:5:22: error W1203: spec.egress[0].hosts[0]: "api.default.svc.cluster.local" does not say which namespace (write "*/api.default.svc.cluster.local" or "./api.default.svc.cluster.local")',
    ],
    [
      "a listener for all ports before another",
      `${sidecar}  egress: [{ hosts: ["./*"] }, { hosts: ["./*"], port: { number: 80, protocol: HTTP_PROXY } }]\n`,
      "mesh.yaml:5:12: error W1106: spec.egress[0] has no port, and others come after it (the listener for all other ports must be the last, and the only one)",
      "mesh.yaml:5:80: error W1302: spec.egress[1].port.protocol HTTP_PROXY is not supported yet (write HTTP, and let the application send each request to the address of its host)",
    ],
    [
      "an application at another machine",
      `${sidecar}  ingress: [{ port: { number: 80, protocol: HTTP }, defaultEndpoint: "10.0.0.1:80" }]\n`,
      'mesh.yaml:5:70: error W1204: spec.ingress[0].defaultEndpoint: "10.0.0.1:80" is not a place of the workload (write 127.0.0.1:PORT, 0.0.0.0:PORT (its own address), [::1]:PORT, or unix:///PATH)',
    ],
    [
      "an application at the agent's socket",
      `${sidecar}  ingress: [{ port: { number: 80, protocol: GRPC }, defaultEndpoint: "unix:///run/x/../weft/default/api/sds.sock" }]\n`,
      `mesh.yaml:5:70: error W1204: spec.ingress[0].defaultEndpoint: "unix:///run/x/../weft/default/api/sds.sock" is of the agent, which hands out the workload's key there (write where the application listens)`,
    ],
    [
      "an egress proxy where nothing unknown leaves",
      `${sidecar}  outboundTrafficPolicy: { egressProxy: { host: a.b, port: { number: 80 } } }\n`,
      "mesh.yaml:5:28: error W1106: spec.outboundTrafficPolicy.egressProxy needs mode ALLOW_ANY: nothing unknown leaves otherwise (remove it, or write mode: ALLOW_ANY)",
    ],
    [
      "a range that is no address",
      `${policy}  rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/40] } }] }]\n`,
      'mesh.yaml:5:43: error W1204: spec.rules[0].from[0].source.ipBlocks[0]: "10.0.0.0/40" is not an IP address or range (write for example 10.0.0.0/8)',
    ],
    [
      "a resource without a name",
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {}\nspec: {}\n",
      'mesh.yaml:3:1: error W1104: metadata.name is missing (add "name:" here)',
    ],
    [
      "a document full of aliases",
      `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n`,
      "mesh.yaml:1:1: error W1005: aliases cannot be expanded: Excessive alias count indicates a resource exhaustion attack (write the values out instead of using aliases)",
    ],
    [
      "a document nested too deeply",
      `a: ${"[".repeat(100)}${"]".repeat(100)}\n`,
      "mesh.yaml:1:1: error W1004: the document is nested more than 64 levels deep",
    ],
  ];
  for (const [name, text, ...expected] of cases) {
    it(name, () => {
      assert.deepEqual(findings(text), expected);
      assert.deepEqual(parseConfig([{ name: "mesh.yaml", text }]).resources, []);
    });
  }

  it("a file nested beyond what the parser can follow", () => {
    const [finding] = findings(`a: ${"[".repeat(200_000)}`);
    assert.match(finding!, /^mesh.yaml:\d+:\d+: error W100[14]: /);
  });

  it("a document that is too large", () => {
    const [finding] = findings(`a: ${"x".repeat(1024 * 1024)}\n`);
    assert.match(finding!, /^mesh.yaml:1:1: error W1002: the document has \d+ bytes; at most 1 MiB is read/);
  });

  it("a regular expression of a megabyte, before it is compiled", () => {
    const regex = "(a|b)?".repeat(150_000);
    const [finding, ...more] = findings(
      `${head}  hosts: [a]\n  http: [{ match: [{ uri: { regex: "${regex}" } }], route: [{ destination: { host: a } }] }]\n`,
    );
    assert.match(finding!, /W1202: .*uri\.regex has 900000 characters; at most 1024 are accepted/);
    assert.deepEqual(more, []);
  });

  it("ten thousand routes on one host, by the first that is too many", () => {
    const rule = "    - { match: [{ uri: { prefix: /a } }], route: [{ destination: { host: a } }] }\n";
    const found = findings(`${head}  hosts: [a]\n  http:\n${rule.repeat(10_000)}`);
    assert.deepEqual(found, [
      "mesh.yaml:4103:7: error W1214: the VirtualService has more than 4096 matches, from spec.http[4096] on (match by prefixes, or by a header that says where to)",
    ]);
  });

  it("the same resource in two files, naming both", () => {
    const text = `${head}${route}`;
    const { resources, diagnostics } = parseConfig([
      { name: "a.yaml", text },
      { name: "b.yaml", text },
    ]);
    assert.equal(resources.length, 1);
    assert.deepEqual(diagnostics.map(formatDiagnostic), [
      "b.yaml:3:19: error W1011: VirtualService default/reviews is written twice (the first is at a.yaml:3:19: remove one of them)",
    ]);
  });
});

describe("what is not done yet is named", () => {
  const cases: [name: string, text: string, isKept: boolean, ...expected: string[]][] = [
    [
      "a field that can be left out is a warning",
      `${rule}  host: reviews\n  trafficPolicy: { loadBalancer: { zoneAwareLbSetting: {} } }\n`,
      true,
      "mesh.yaml:6:36: warning W1301: DestinationRule.spec.trafficPolicy.loadBalancer.zoneAwareLbSetting is not supported yet: the caller's region comes first, and calls go to all of its zones alike, as in Istio where proxies do not know their own service; localityLbSetting keeps them in the nearest",
    ],
    [
      "a field that changes the meaning refuses the resource",
      "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\nmetadata: { name: a }\nspec: { template: { address: 10.0.0.1 } }\n",
      false,
      "mesh.yaml:4:21: error W1302: WorkloadGroup.spec.template.address is not supported yet: each workload says its own address (remove it to accept the rest)",
    ],
    [
      "a value that is not supported names the value",
      "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { internalTrafficPolicy: Local }\n",
      true,
      "mesh.yaml:4:9: warning W1301: Service.spec.internalTrafficPolicy Local is not supported yet: endpoints are chosen without regard to the node",
    ],
    [
      "a kind of the mesh",
      "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: { name: a }\n",
      false,
      "mesh.yaml:2:7: warning W1303: kind EnvoyFilter (networking.istio.io) is not served: this resource is not applied (a patch fits one data plane's configuration, and a mesh has several: write VirtualService, DestinationRule or an AuthorizationPolicy with a provider; what 'weft proxy -c' runs takes the filter itself (docs/filters.md))",
    ],
    [
      "a kind of Kubernetes is no mistake",
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n",
      false,
      'mesh.yaml:2:7: info W1304: Deployment "a" is not used by Weft outside Kubernetes',
    ],
  ];
  for (const [name, text, isKept, ...expected] of cases) {
    it(name, () => {
      assert.deepEqual(findings(text), expected);
      assert.equal(parseConfig([{ name: "mesh.yaml", text }]).resources.length, isKept ? 1 : 0);
    });
  }
});

describe("reading", () => {
  it("one bad document does not take the others down", () => {
    const { resources, diagnostics } = parseConfig([
      { name: "a.yaml", text: `${head}${route}---\nkind: [\n---\n${rule}  host: reviews\n` },
    ]);
    assert.ok(diagnostics.some((d) => d.severity === "error"));
    assert.deepEqual(resources[0]?.kind, "VirtualService");
  });

  it("every value knows where it was written", () => {
    const text = `${head}${route}`;
    const [resource] = parseConfig([{ name: "a.yaml", text }]).resources;
    assert.deepEqual(resource!.origins.at("spec.http[0].route[0].destination.host"), {
      file: "a.yaml",
      line: 7,
      column: 38,
      path: "spec.http[0].route[0].destination.host",
    });
    const { line } = resource!.origins.at("spec.http[0].timeout");
    assert.equal(line, 7, "what was not written has the place of what would hold it");
  });

  it("a List is its items, each in its own place", () => {
    const text = `apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: DestinationRule\n  metadata: { name: a }\n  spec: { host: a, subset: [] }\n`;
    assert.deepEqual(findings(text), [
      'mesh.yaml:7:20: error W1101: unknown field spec.subset (did you mean "subsets"?)',
    ]);
  });
});
