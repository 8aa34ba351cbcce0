import assert from "node:assert/strict";
import { test } from "node:test";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Explainer } from "./explainer.ts";
import type { Explanation, Outcome } from "./explanation.ts";
import { formatExplanation } from "./format-explanation.ts";
import { parseQuestion } from "./question.ts";
import { writtenReader } from "./written-reader.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec:
  selector: { app: reviews }
  ports: [{ name: http, port: 9080 }]
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec:
  selector: { app: db }
  ports: [{ name: tcp-db, port: 5432 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: productpage }
spec:
  template:
    metadata: { labels: { app: productpage } }
    spec: { serviceAccountName: productpage }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v1 }
spec:
  template:
    metadata: { labels: { app: reviews, version: v1 } }
    spec: { serviceAccountName: reviews }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: reviews-v2 }
spec:
  template:
    metadata: { labels: { app: reviews, version: v2 } }
    spec: { serviceAccountName: reviews }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
  - { name: v3, labels: { version: v3 } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: reviews-viewer }
spec:
  selector: { matchLabels: { app: reviews } }
  rules:
  - from: [{ source: { principals: [cluster.local/ns/default/sa/productpage] } }]
    to: [{ operation: { methods: [GET] } }]
`;

/** Rules of a VirtualService for reviews, appended to the mesh. */
function routes(rules: string): string {
  return `${mesh}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
${rules}`;
}

/** Pods of reviews in two regions, and their caller in the first. */
function placed(setting: string): string {
  const at = (labels: string, region: string) => (text: string) =>
    text.replace(labels, `${labels.slice(0, -2)}, topology.kubernetes.io/region: ${region} }`);
  return [
    at("labels: { app: productpage }", "west"),
    at("labels: { app: reviews, version: v1 }", "west"),
    at("labels: { app: reviews, version: v2 }", "south"),
  ]
    .reduce((text, change) => change(text), mesh)
    .replace("host: reviews\n", `host: reviews\n  trafficPolicy: { ${setting} }\n`);
}

test("where endpoints stand is told where it decides", async () => {
  const detail = async (setting: string) => {
    const { steps } = await ask(placed(setting), "http://reviews:9080/");
    const step = steps.find(({ step }) => step === "endpoint");
    return [step?.detail, step?.origin && step.origin.replace(/:\d+$/, "")];
  };
  assert.deepEqual(await detail("outlierDetection: {}"), [
    "first 1 in west, then 1 in south",
    "mesh.yaml:42",
  ]);
  const shares = "localityLbSetting: { distribute: [{ from: west, to: { west: 60, south: 40 } }] }";
  assert.deepEqual(await detail(`loadBalancer: { ${shares} }`), [
    "40 % 1 in south, 60 % 1 in west",
    "mesh.yaml:42",
  ]);
  assert.deepEqual(await detail("loadBalancer: { simple: RANDOM }"), [undefined, undefined]);
});

test("a call of a service's IPv6 address is one of the service, however it is written", async () => {
  for (const to of ["tcp://[fd77:6566:7400::f0f0:1]:5432", "tcp://[FD77:6566:7400:0::F0F0:1]:5432"]) {
    const { steps } = await ask(mesh, to);
    const cluster = steps.find(({ step }) => step === "cluster");
    assert.equal(cluster?.chosen, "outbound|5432||db.default.svc.cluster.local", to);
  }
});

function ask(
  yaml: string,
  to: string,
  options: { from?: string; method?: string; headers?: readonly string[] } = {},
): Promise<Explanation> {
  const written = writtenMesh([{ name: "mesh.yaml", text: yaml }], { trustDomain: "cluster.local" });
  assert.deepEqual(
    written.diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  const explainer = new Explainer(writtenReader(written));
  return explainer.explain(parseQuestion(options.from ?? "productpage", to, options));
}

/** The line of the mesh's YAML that a step or outcome names, so that a test says what is there and not where. */
function lineAt(yaml: string, origin: string | undefined): string | undefined {
  const line = /^mesh\.yaml:(\d+):\d+$/.exec(origin ?? "")?.[1];
  return line === undefined ? undefined : yaml.split("\n")[Number(line) - 1]?.trim();
}

const jason = `  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: reviews, subset: v2 } }]
  - route: [{ destination: { host: reviews, subset: v1 } }]
`;

test("a route is named with its line, and those before it with the condition that did not hold", async () => {
  const yaml = routes(jason);
  const { steps, outcome } = await ask(yaml, "http://reviews:9080/x");
  const route = steps.find(({ step }) => step === "route")!;
  assert.equal(lineAt(yaml, route.origin), "- route: [{ destination: { host: reviews, subset: v1 } }]");
  assert.equal(
    route.lost?.[0]?.why,
    'it wants header end-user = "jason"; the request has no header end-user',
  );
  assert.match(lineAt(yaml, route.lost?.[0]?.origin)!, /match: .*jason/);
  assert.deepEqual(
    outcome.destinations.map(({ subset, percent, workloads, tls }) => ({ subset, percent, workloads, tls })),
    [{ subset: "v1", percent: 100, workloads: ["reviews-v1.default"], tls: "mutual" }],
  );
  const other = await ask(yaml, "http://reviews:9080/x", { headers: ["End-User: jason"] });
  assert.equal(other.outcome.destinations[0]?.subset, "v2");
});

const outcomes: readonly {
  readonly name: string;
  readonly rules?: string;
  readonly to?: string;
  readonly options?: Parameters<typeof ask>[2];
  readonly expected: Partial<Outcome>;
}[] = [
  {
    name: "a split has the shares of its weights",
    rules: `  - route:
    - { destination: { host: reviews, subset: v1 }, weight: 75 }
    - { destination: { host: reviews, subset: v2 }, weight: 25 }
    timeout: 2s
    retries: { attempts: 3, perTryTimeout: 500ms, retryOn: "5xx,reset" }
`,
    expected: {
      result: "forwarded",
      timeoutMs: 2000,
      retries: { attempts: 3, perTryTimeoutMs: 500, on: ["5xx", "reset"] },
    },
  },
  {
    name: "a redirect names its location",
    rules: `  - redirect: { uri: /new, authority: other.example.com, redirectCode: 302 }
`,
    expected: { result: "answered", status: 302, location: "http://other.example.com/new" },
  },
  {
    name: "a direct response has its body",
    rules: `  - directResponse: { status: 418, body: { string: teapot } }
`,
    expected: { result: "answered", status: 418, body: "teapot", details: "direct_response" },
  },
  {
    name: "a fault for all requests is the answer",
    rules: `  - fault: { abort: { httpStatus: 555, percentage: { value: 100 } } }
    route: [{ destination: { host: reviews } }]
`,
    expected: {
      result: "answered",
      status: 555,
      flags: "FI",
      fault: { abortStatus: 555, abortPercent: 100 },
    },
  },
  {
    name: "a fault for some is told, and the call goes on",
    rules: `  - fault: { delay: { fixedDelay: 5s, percentage: { value: 10 } } }
    route: [{ destination: { host: reviews } }]
`,
    expected: { result: "forwarded", fault: { delayMs: 5000, delayPercent: 10 } },
  },
  {
    name: "a delay of all requests passes without being waited for",
    rules: `  - fault: { delay: { fixedDelay: 3600s, percentage: { value: 100 } } }
    route: [{ destination: { host: reviews } }]
`,
    expected: { result: "forwarded", fault: { delayMs: 3_600_000, delayPercent: 100 } },
  },
  {
    name: "no route matches",
    rules: `  - match: [{ uri: { exact: /only } }]
    route: [{ destination: { host: reviews } }]
`,
    expected: { result: "answered", status: 404, flags: "NR", details: "route_not_found" },
  },
  {
    name: "a subset that nobody serves",
    rules: `  - route: [{ destination: { host: reviews, subset: v3 } }]
`,
    expected: { result: "answered", status: 503, flags: "UH", details: "no_healthy_upstream" },
  },
  {
    name: "a host that nobody knows",
    rules: `  - route: [{ destination: { host: ratings } }]
`,
    expected: { result: "answered", status: 503, flags: "NC", details: "cluster_not_found" },
  },
  {
    name: "the callee's policy denies another method",
    options: { method: "DELETE" },
    expected: { result: "denied", status: 403, details: "rbac_access_denied_matched_policy[none]" },
  },
  {
    name: "and another caller",
    options: { from: "reviews-v1" },
    expected: { result: "denied", status: 403 },
  },
  {
    name: "bytes are followed without a request",
    to: "tcp://db:5432",
    expected: { result: "forwarded" },
  },
];

for (const { name, rules, to = "http://reviews:9080/x", options, expected } of outcomes) {
  test(name, async () => {
    const { outcome } = await ask(rules ? routes(rules) : mesh, to, options);
    const found = Object.fromEntries(
      Object.keys(expected).map((key) => [key, outcome[key as keyof Outcome]]),
    );
    assert.deepEqual(found, expected);
  });
}

test("a split names every destination with its share", async () => {
  const { outcome } = await ask(routes(outcomes[0]!.rules!), "http://reviews:9080/x");
  assert.deepEqual(
    outcome.destinations.map(({ subset, percent }) => [subset, percent]),
    [
      ["v1", 75],
      ["v2", 25],
    ],
  );
});

test("rewrites and header edits are those the destination sees", async () => {
  const yaml = routes(`  - match: [{ uri: { prefix: /api/ } }]
    rewrite: { uri: /, authority: reviews.internal }
    headers:
      request: { set: { x-team: books }, remove: [x-secret] }
      response: { add: { x-served-by: mesh } }
    route: [{ destination: { host: reviews } }]
`);
  const { steps, outcome } = await ask(yaml, "http://reviews:9080/api/1?q=2", { headers: ["x-secret: 1"] });
  assert.equal(outcome.sent?.path, "/1?q=2");
  assert.equal(outcome.sent?.authority, "reviews.internal");
  assert.equal(outcome.sent?.headers["x-team"], "books");
  assert.equal(outcome.sent?.headers["x-secret"], undefined);
  assert.equal(outcome.answerHeaders?.["x-served-by"], "mesh");
  const edits = steps.find(({ step }) => step === "headers");
  assert.equal(edits?.chosen, "x-team: books, without x-secret, answer x-served-by: mesh");
  assert.equal(lineAt(yaml, edits?.origin), "headers:");
});

test("plain text to a workload that takes only mutual TLS is broken off there", async () => {
  const yaml = `${mesh}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: plain }
spec:
  host: db
  trafficPolicy: { tls: { mode: DISABLE } }
`;
  const { outcome } = await ask(yaml, "tcp://db:5432");
  assert.equal(outcome.destinations[0]?.tls, "none");
  assert.match(outcome.summary, /takes no plain text/);
});

test("the DENY policy that decides is named with its line, and so is the caller's place among names", async () => {
  const yaml = `${mesh}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec:
  action: DENY
  rules:
  - to: [{ operation: { paths: [/admin*] } }]
`;
  const explanation = await ask(yaml, "http://reviews.default:9080/admin/x");
  const { outcome, caller } = explanation;
  assert.equal(outcome.policy?.name, "AuthorizationPolicy default/no-admin, rule 0");
  assert.equal(lineAt(yaml, outcome.policy?.origin), "- to: [{ operation: { paths: [/admin*] } }]");
  assert.equal(caller.identity, "spiffe://cluster.local/ns/default/sa/productpage");
  assert.match(
    formatExplanation(explanation),
    /=> answered 403 .*no-admin, rule 0 denies it {2}mesh\.yaml:\d+/,
  );
});

test("a caller that is not there is named, with those that are", async () => {
  await assert.rejects(
    ask(mesh, "http://reviews:9080/", { from: "nobody" }),
    (error: Error & { hint?: string }) => {
      assert.match(error.message, /no workload is called nobody/);
      assert.match(error.hint ?? "", /productpage\.default/);
      return true;
    },
  );
});

test("what is no address, method or header is refused before anything is asked", () => {
  for (const [to, options] of [
    ["ftp://x", {}],
    ["http://", {}],
    ["tcp://x", {}],
    ["http://x:99999/", {}],
    ["http://x/", { method: "GE T" }],
    ["http://x/", { headers: ["no colon"] }],
    ["http://x/", { headers: ["a: b\r\nc: d"] }],
  ] as const) {
    assert.throws(
      () => parseQuestion("a", to, options),
      { name: "UserError" },
      `${to} ${JSON.stringify(options)}`,
    );
  }
});
