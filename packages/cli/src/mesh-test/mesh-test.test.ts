import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { formatResults } from "./format-results.ts";
import { findTestFiles, loadSuite } from "./load-suites.ts";
import { hasFailed, runSuite, type SuiteResult, TestMeshes } from "./run-suites.ts";

const mesh = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: productpage }
spec: { template: { metadata: { labels: { app: productpage } }, spec: { serviceAccountName: productpage } } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
  - name: moved
    match: [{ uri: { prefix: /old } }]
    redirect: { uri: /new, redirectCode: 302 }
  - name: slow
    match: [{ uri: { prefix: /slow } }]
    fault: { delay: { fixedDelay: 2s, percentage: { value: 50 } } }
    mirror: { host: reviews, subset: v2 }
    mirrorPercentage: { value: 5 }
    route: [{ destination: { host: reviews, subset: v2 } }]
  - name: split
    timeout: 3s
    retries: { attempts: 2, perTryTimeout: 1s, retryOn: 5xx }
    headers: { request: { set: { team: books }, remove: [secret] }, response: { set: { via-mesh: "yes" } } }
    route:
    - { destination: { host: reviews, subset: v1 }, weight: 90 }
    - { destination: { host: reviews, subset: v2 }, weight: 10 }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec:
  action: DENY
  rules: [{ to: [{ operation: { paths: [/admin*] } }] }]
`;

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), "weft-test-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries({ "mesh.yaml": mesh, ...files }))
    writeFileSync(join(path, name), text);
  return path;
}

async function run(path: string): Promise<SuiteResult[]> {
  const meshes = new TestMeshes();
  const suites: SuiteResult[] = [];
  for (const file of findTestFiles([path])) suites.push(await runSuite(await loadSuite(file), meshes));
  return suites;
}

/** Every kind of expectation, as it holds of the mesh. */
const holds: readonly (readonly [path: string, expect: string])[] = [
  [
    "/x",
    "{ result: forwarded, route: split, timeout: 3s, retries: { attempts: 2, perTryTimeout: 1s, on: [5xx] }, fault: none, tls: mutual, path: /x, host: 'reviews:9080', headers: { team: books, secret: null }, responseHeaders: { via-mesh: 'yes' }, destinations: [{ host: reviews, subset: v1, percent: 90 }, { host: reviews.default, subset: v2, port: 9080, percent: 10 }] }",
  ],
  [
    "/slow",
    "{ fault: { delay: 2s, delayPercent: 50 }, mirrors: { reviews: 5 }, destinations: [{ host: reviews, subset: v2 }], timeout: none }",
  ],
  [
    "/old/x",
    "{ result: answered, status: 302, location: 'http://reviews:9080/new', details: direct_response, destinations: [] }",
  ],
  ["/admin", "{ result: denied, status: 403, policy: default/no-admin }"],
  ["/admin", "denied"],
];

/** And as it does not, with what is said. */
const fails: readonly (readonly [path: string, expect: string, says: RegExp])[] = [
  ["/x", "denied", /result: expected denied, found forwarded: goes 90 % to reviews/],
  ["/x", "{ timeout: 4s }", /timeout: expected 4s, found 3s/],
  ["/x", "{ retries: 3 }", /retries: expected 3, found 2/],
  ["/x", "{ retries: { on: [reset] } }", /retry on: expected reset, found 5xx/],
  [
    "/x",
    "{ destinations: [{ host: reviews, subset: v1 }] }",
    /expected 100 % to reviews v1, found 90 % to reviews\.default/,
  ],
  ["/x", "{ headers: { team: music } }", /header team: expected music, found books/],
  ["/x", "{ headers: { team: null } }", /header team: expected none, found books/],
  ["/x", "{ tls: none }", /tls to reviews\.default\.svc\.cluster\.local: expected none, found mutual/],
  ["/slow", "{ fault: none }", /fault: expected none, found .*2000/],
  ["/slow", "{ fault: { delay: 3s } }", /delay: expected 3s, found 2s/],
  ["/slow", "{ mirrors: { reviews: 6 } }", /mirrors: expected/],
  ["/old/x", "{ status: 301 }", /status: expected 301, found 302/],
  ["/admin", "{ destinations: [{ host: reviews, subset: v1, percent: 90 }] }", /found none: answered 403/],
];

function yaml(cases: readonly (readonly [string, string, ...unknown[]])[]): string {
  const tests = cases.map(
    ([path, expect]) =>
      `  - { from: productpage, to: 'http://reviews:9080${path}', headers: { secret: s }, expect: ${expect} }\n`,
  );
  return `tests:\n${tests.join("")}`;
}

test("every kind of expectation passes where it holds, and says what it found where it does not", async (t) => {
  const path = folder(t, { "a-holds.test.yaml": yaml(holds), "b-fails.test.yaml": yaml(fails) });
  const [good, bad] = await run(path);
  assert.deepEqual(good!.results.filter(hasFailed), []);
  const text = bad!.results.map((result) => formatResults.text([{ file: "", results: [result] }]));
  fails.forEach(([, , says], i) => {
    assert.ok(hasFailed(bad!.results[i]!), fails[i]!.join(" "));
    assert.match(text[i]!, says);
    assert.match(text[i]!, /decided by .*mesh\.yaml:\d+:\d+/);
  });
});

test("tests in TypeScript may be made, and may judge for themselves", async (t) => {
  const path = folder(t, {
    "own.test.ts": `
import assert from "node:assert/strict";
const to: string = "http://reviews:9080/x";
export default [
  ...["/old", "/old/b"].map((path) => ({ from: "productpage", to: \`http://reviews:9080\${path}\`, expect: "answered" })),
  { name: "asks", async run(ask: any) { assert.equal((await ask({ from: "productpage", to })).outcome.timeoutMs, 3000); } },
  { name: "throws", run() { throw new Error("not so"); } },
];`,
  });
  const [suite] = await run(path);
  assert.deepEqual(
    suite!.results.map(({ name, error }) => [name, error]),
    [
      ["GET http://reviews:9080/old from productpage", undefined],
      ["GET http://reviews:9080/old/b from productpage", undefined],
      ["asks", undefined],
      ["throws", "not so"],
    ],
  );
});

test("a mesh with an error fails as a whole, and a caller that is not there fails its test", async (t) => {
  const broken = folder(t, {
    "broken.yaml": "apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { prots: [] }\n",
    "m.test.yaml": yaml(holds),
  });
  const [suite] = await run(broken);
  assert.match(suite!.results[0]!.error ?? "", /broken\.yaml:4:9: error W1101: unknown field spec\.prots/);
  const lost = folder(t, {
    "m.test.yaml": "tests: [{ from: nobody, to: http://reviews:9080/, expect: denied }]\n",
  });
  assert.match((await run(lost))[0]!.results[0]!.error ?? "", /no workload is called nobody/);
});

test("a test file that is none says where and why", async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      "tests: [{ from: a, to: b, expects: denied }]\n",
      /m\.test\.yaml:1:36: tests\[0\]\.expects is no field; did you mean "?expect/,
    ],
    ["tests: [{ from: a, to: b, expect: deny }]\n", /tests\[0\]\.expect is none of forwarded/],
    ["tests: [{ from: 1, to: b, expect: denied }]\n", /tests\[0\]\.from is no text/],
    [
      "tests: [{ from: a, to: b, expect: { destinations: [{ subset: v1 }] } }]\n",
      /destinations\[0\] has no host/,
    ],
    ["tests: {}\n", /tests is no list/],
    ["test: []\n", /test is no field/],
    ["tests: [\n", /not valid YAML/],
  ];
  for (const [text, says] of cases) {
    const path = folder(t, { "m.test.yaml": text });
    await assert.rejects(run(path), (error: Error) => {
      assert.match(error.message, says);
      return true;
    });
  }
  assert.throws(() => findTestFiles([folder(t, {})]), /there are no tests/);
});

test("results are TAP and JUnit as their readers want them, whatever names hold", () => {
  const result = { place: "a.test.yaml:1:1", mismatches: [], decidedBy: [], durationMs: 1.5 };
  const suites: SuiteResult[] = [
    {
      file: "a.test.yaml",
      results: [
        { ...result, name: "good # one" },
        {
          ...result,
          name: 'bad <"&>\u0007',
          mismatches: [{ what: "status", expected: "1", found: "2" }],
          decidedBy: ["m.yaml:3:5"],
        },
      ],
    },
  ];
  assert.equal(
    formatResults.tap(suites),
    [
      "TAP version 14",
      "1..2",
      "ok 1 - a.test.yaml: good \\# one",
      'not ok 2 - a.test.yaml: bad <"&> ',
      "  ---",
      '  at: "a.test.yaml:1:1"',
      "  because: [",
      '    "status: expected 1, found 2",',
      '    "decided by m.yaml:3:5"',
      "  ]",
      "  ...",
      "",
    ].join("\n"),
  );
  assert.equal(
    formatResults.junit(suites),
    [
      '<?xml version="1.0" encoding="UTF-8"?>',
      "<testsuites>",
      '  <testsuite name="a.test.yaml" tests="2" failures="1">',
      '    <testcase classname="a.test.yaml" name="good # one" time="0.0015"/>',
      '    <testcase classname="a.test.yaml" name="bad &lt;&quot;&amp;&gt;" time="0.0015">',
      '      <failure message="a.test.yaml:1:1">status: expected 1, found 2',
      "decided by m.yaml:3:5</failure>",
      "    </testcase>",
      "  </testsuite>",
      "</testsuites>",
      "",
    ].join("\n"),
  );
});

test("an external name is called as it is written: outside in plain text, a further name of a service by mutual TLS", async (t) => {
  const named = (name: string, spec: string) =>
    `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { type: ExternalName, ${spec} }\n`;
  const path = folder(t, {
    "names.yaml":
      named("payments", "externalName: api.payments.example, ports: [{ name: http, port: 80 }]") +
      named("critics", "externalName: reviews.default.svc.cluster.local"),
    "a.test.yaml": `tests:
  - { from: productpage, to: "http://payments/x", expect: { host: payments, tls: none, destinations: [{ host: payments, port: 80 }] } }
  - { from: productpage, to: "http://critics:9080/x", expect: { host: "critics:9080", tls: mutual, destinations: [{ host: critics, port: 9080 }] } }
`,
  });
  const suites = await run(path);
  assert.deepEqual(
    suites.flatMap(({ results }) => results).filter(hasFailed),
    [],
    formatResults.text(suites),
  );
});
