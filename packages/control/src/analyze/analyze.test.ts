import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { writtenMesh } from "../inspect/written-mesh.ts";
import { fixture } from "../translate/mesh-fixture.ts";
import { analyze } from "./analyze.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { selector: { app: db }, ports: [{ name: tcp-sql, port: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: two }
spec: { selector: { app: two }, ports: [{ name: http-a, port: 8080 }, { name: http-b, port: 9090 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web-v1 }
spec: { template: { metadata: { labels: { app: web, version: v1 } } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: db }
spec: { template: { metadata: { labels: { app: db } } } }
---
`;

function canary(service: string): string {
  return `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: web }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: ${service} }
  analysis: { interval: 1m, threshold: 1, stepWeight: 10 }
`;
}

function rule(host: string, policy: string, more = ""): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: rule }
spec:
  host: ${host}
  trafficPolicy: ${policy}
${more}`;
}

function routes(host: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: routes }
spec:
  hosts: [${host}]
${spec}`;
}

/** In a namespace that the service is not in. */
function fromAfar(more: string): string {
  const host = "web.default.svc.cluster.local";
  const spec = `  ${more}\n  http: [{ route: [{ destination: { host: ${host} } }] }]\n`;
  const gateway = `---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: g, namespace: far }\nspec:\n  selector: { istio: g }\n  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]\n`;
  return (
    routes(host, spec).replace("name: routes", "name: routes, namespace: far") +
    (more.startsWith("gateways") ? gateway : "")
  );
}

function policy(spec: string): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: policy }
spec: ${spec}
`;
}

function peers(mode: string, name = "peers"): string {
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name} }
spec: { mtls: { mode: ${mode} } }
`;
}

/** What is written, the codes it gives, and a part of what the first finding says at `line` of it, which counts from 1. */
type Case = readonly [yaml: string, codes: readonly string[], says?: RegExp];

const subsets = "  subsets: [{ name: v1, labels: { version: v1 } }, { name: v9, labels: { version: v9 } }]\n";

const cases: Readonly<Record<string, readonly Case[]>> = {
  "callers that speak another TLS than is taken": [
    [rule("web", "{ tls: { mode: DISABLE } }"), ["IST0113"], /:6:.* plain text to port 80, but web-v1/],
    [rule("web", "{ tls: { mode: SIMPLE } }"), ["IST0113"], /TLS of mode SIMPLE/],
    [rule("web", "{ portLevelSettings: [{ port: { number: 80 }, tls: { mode: DISABLE } }] }"), ["IST0113"]],
    [rule("web", "{ tls: { mode: ISTIO_MUTUAL } }"), []],
    [`${rule("web", "{ tls: { mode: DISABLE } }")}---\n${peers("PERMISSIVE")}`, []],
    [`${rule("web", "{ tls: { mode: ISTIO_MUTUAL } }")}---\n${peers("DISABLE")}`, ["IST0113"]],
    [rule("'*.example.com'", "{ tls: { mode: SIMPLE } }"), []],
  ],
  "servers whose certificate nobody looks at": [
    [rule("api.example.com", "{ tls: { mode: SIMPLE, insecureSkipVerify: true } }"), ["IST0128"], /:6:/],
    [
      rule(
        "api.example.com",
        "{ portLevelSettings: [{ port: { number: 443 }, tls: { mode: SIMPLE, insecureSkipVerify: true } }] }",
      ),
      ["IST0129"],
    ],
    [rule("api.example.com", "{ tls: { mode: SIMPLE } }"), []],
  ],
  "denials by identity where there is none": [
    [
      `${policy("{ action: DENY, rules: [{ from: [{ source: { namespaces: [bad] } }] }] }")}---\n${peers("PERMISSIVE")}`,
      ["W2410"],
      /can call web-v1|can call db/,
    ],
    [policy("{ action: DENY, rules: [{ from: [{ source: { namespaces: [bad] } }] }] }"), []],
    [
      `${policy("{ action: DENY, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }] }] }")}---\n${peers("PERMISSIVE")}`,
      [],
    ],
  ],
  "policies about requests where none are seen": [
    [
      policy(
        "{ selector: { matchLabels: { app: db } }, rules: [{ to: [{ operation: { methods: [GET] } }] }] }",
      ),
      ["W2411"],
      /db serves TCP only.*allows nothing/,
    ],
    [
      policy(
        "{ selector: { matchLabels: { app: web } }, rules: [{ to: [{ operation: { methods: [GET] } }] }] }",
      ),
      [],
    ],
    [policy("{ rules: [{ to: [{ operation: { methods: [GET] } }] }] }"), []],
    [
      policy(
        "{ selector: { matchLabels: { app: db } }, rules: [{ to: [{ operation: { ports: ['5432'] } }] }] }",
      ),
      [],
    ],
  ],
  "values that no call has": [
    [
      policy("{ rules: [{ from: [{ source: { principals: ['spiffe://cluster.local/ns/a/sa/b'] } }] }] }"),
      ["W2412"],
      /:4:.*without a scheme/,
    ],
    [policy("{ rules: [{ to: [{ operation: { paths: [admin] } }] }] }"), ["W2412"]],
    [policy("{ rules: [{ to: [{ operation: { methods: [get] } }] }] }"), ["W2412"]],
    [policy("{ rules: [{ to: [{ operation: { paths: [/a, '*/b', '*'], methods: [GET, '*'] } }] }] }"), []],
  ],
  "routes for a service of another namespace": [
    [fromAfar("exportTo: [far, default]"), ["W2414"], /go where namespace far says/],
    [fromAfar('exportTo: ["."]'), []],
    [fromAfar("gateways: [far/g]"), []],
  ],
  "rules for a protocol that the host does not speak": [
    [
      routes("db", "  http: [{ route: [{ destination: { host: db } }] }]\n"),
      ["W2420"],
      /:6:.*speaks HTTP \(they speak tcp\)/,
    ],
    [routes("web", "  tcp: [{ route: [{ destination: { host: web } }] }]\n"), ["W2420"]],
    [routes("db", "  tcp: [{ route: [{ destination: { host: db } }] }]\n"), []],
    [routes("elsewhere.example.com", "  http: [{ route: [{ destination: { host: web } }] }]\n"), []],
  ],
  "rules for a port that the host does not have": [
    [
      routes("web", "  http: [{ match: [{ port: 81 }], route: [{ destination: { host: web } }] }]\n"),
      ["W2421"],
      /its ports: 80/,
    ],
    [
      rule("web", "{ portLevelSettings: [{ port: { number: 81 }, loadBalancer: { simple: RANDOM } }] }"),
      ["W2421"],
    ],
    [rule("web", "{ portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: RANDOM } }] }"), []],
  ],
  "destinations with several ports, none of them the one that is called": [
    [
      routes("web", "  http: [{ route: [{ destination: { host: two } }] }]\n"),
      ["IST0112"],
      /ports 8080, 9090/,
    ],
    [routes("web", "  http: [{ route: [{ destination: { host: two, port: { number: 8080 } } }] }]\n"), []],
    [routes("two", "  http: [{ route: [{ destination: { host: two } }] }]\n"), []],
  ],
  "a port that two Services call different things": [
    [
      "apiVersion: v1\nkind: Service\nmetadata: { name: web-raw }\nspec: { selector: { app: web }, ports: [{ name: tcp-raw, port: 81, targetPort: 80 }] }\n",
      ["IST0116"],
      /port 80 of web-v1 is tcp here and http in Service "web"/,
    ],
    [
      "apiVersion: v1\nkind: Service\nmetadata: { name: web-too }\nspec: { selector: { app: web }, ports: [{ name: http-too, port: 81, targetPort: 80 }] }\n",
      [],
    ],
  ],
  "subsets that nobody serves": [
    [
      `${rule("web", "{}", subsets)}---\n${routes("web", "  http: [{ route: [{ destination: { host: web, subset: v9 } }] }]\n")}`,
      ["W2422"],
      /subset "v9" \(version=v9\)/,
    ],
    [
      `${rule("web", "{}", subsets)}---\n${routes("web", "  http: [{ route: [{ destination: { host: web, subset: v1 }, weight: 100 }, { destination: { host: web, subset: v9 }, weight: 0 }] }]\n")}`,
      [],
    ],
  ],
  "a Canary that can never begin": [
    [canary("nobody"), ["W2424"], /case\.yaml:\d+:\d+: warning W2424: there is no service nobody in default/],
    [canary("web"), ["W2424"], /nothing routes web/],
    [
      `${rule("web", "{}", subsets)}---\n${routes("web", "  http: [{ route: [{ destination: { host: web, subset: v1 } }] }]\n")}---\n${canary("web")}`,
      [],
    ],
    [
      `${rule("web", "{}", subsets)}---\n${routes("web", "  http: [{ route: [{ destination: { host: web, subset: v1 } }] }]\n")}---\n${canary("web").replace("stepWeight: 10", "stepWeight: 10, alerts: [{ name: a, providerRef: { name: chat } }], metrics: [{ name: b, templateRef: { name: lag, namespace: mesh }, threshold: 1 }]")}`,
      ["W2424", "W2424"],
      /there is no MetricTemplate mesh\/lag: no rollout begins/,
    ],
  ],
  "tries that take as long as the whole": [
    [
      routes(
        "web",
        "  http: [{ timeout: 1s, retries: { attempts: 2, perTryTimeout: 2s }, route: [{ destination: { host: web } }] }]\n",
      ),
      ["W2423"],
    ],
    [
      routes(
        "web",
        "  http: [{ timeout: 3s, retries: { attempts: 2, perTryTimeout: 1s }, route: [{ destination: { host: web } }] }]\n",
      ),
      [],
    ],
  ],
};

for (const [what, list] of Object.entries(cases)) {
  test(`analysis finds ${what}, and nothing where all is well`, () => {
    for (const [yaml, codes, says] of list) {
      const written = writtenMesh(
        [
          { name: "mesh.yaml", text: mesh },
          { name: "case.yaml", text: yaml },
        ],
        { trustDomain: "cluster.local" },
      );
      const errors = written.diagnostics.filter(({ severity }) => severity === "error");
      assert.deepEqual(errors.map(formatDiagnostic), [], yaml);
      const found = analyze(written.mesh, written.resources, []).filter(
        ({ severity }) => severity !== "info",
      );
      assert.deepEqual(
        found.map(({ code }) => code),
        codes,
        `${yaml}\n${found.map(formatDiagnostic).join("\n")}`,
      );
      for (const { origin, hint, message } of found) {
        assert.equal(origin?.file, "case.yaml", message);
        assert.ok(hint, `${message} says what to do`);
      }
      if (says) assert.match(formatDiagnostic(found[0]!), says);
    }
  });
}

test("plain text that is taken is told for information", () => {
  const written = writtenMesh([{ name: "case.yaml", text: peers("PERMISSIVE") }], {
    trustDomain: "cluster.local",
  });
  assert.match(
    formatDiagnostic(analyze(written.mesh, written.resources, [])[0]!),
    /^case\.yaml:4:23: info W2413: all workloads of default take plain text beside mutual TLS/,
  );
});

test("a Service without a selector is told of where nothing serves it", () => {
  const service = (name: string, spec: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: ${spec}\n---\n`;
  const yaml =
    service("served", "{ ports: [{ name: http, port: 80 }] }") +
    service("waiting", "{ ports: [{ name: http, port: 80 }] }") +
    service("unwell", "{ ports: [{ name: http, port: 80 }] }") +
    service(
      "elsewhere",
      "{ type: ExternalName, externalName: www.example.com, ports: [{ name: http, port: 80 }] }",
    ) +
    service("selecting", "{ selector: { app: x }, ports: [{ name: http, port: 80 }] }");
  const workloads = [{ service: "served" }, { service: "unwell", isHealthy: false }];
  const { mesh, input } = fixture({ workloads }, yaml);
  const told = analyze(mesh, input.resources, []).filter(({ code }) => code === "W2425");
  assert.deepEqual(
    told.map(({ message }) => message.split(" ")[0]),
    ["unwell.default.svc.cluster.local", "waiting.default.svc.cluster.local"],
  );
  assert.match(formatDiagnostic(told[1]!), /^mesh\.yaml:8:\d+: info W2425: .*503 \(run it with/);
});
