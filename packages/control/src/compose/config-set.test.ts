import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigSet, readEntries } from "./config-set.ts";
import type { ResourceText } from "./split-documents.ts";
import { joinDocuments, splitDocuments } from "./split-documents.ts";

function virtualService(name: string, destination = name): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ${name}
spec:
  hosts:
    - ${name}
  http:
    - route:
        - destination:
            host: ${destination}
`;
}

const broken = virtualService("broken").replace("http:", "htpp:");

const shapes: readonly (readonly [string, string])[] = [
  ["one document", virtualService("a")],
  ["several documents", `${virtualService("a")}---\n${virtualService("b")}---\n${virtualService("c")}`],
  [
    "comments and blank lines",
    `# top\n\n---\n# about a\n\n${virtualService("a")}\n\n---  # next\n\n\n${virtualService("b")}`,
  ],
  ["no line break at the end", `---\n${virtualService("a").trimEnd()}`],
  [
    "a list",
    `apiVersion: v1\nkind: List\nitems:\n  - apiVersion: networking.istio.io/v1\n    kind: VirtualService\n    metadata: {name: a}\n    spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}\n`,
  ],
];
for (const [name, text] of shapes) {
  test(`stored text of ${name} gives the same resources at the same lines when it is read again`, () => {
    const file = { name: "mesh.yaml", text };
    const { entries } = readEntries([file], "store");
    assert.notEqual(entries.length, 0);
    const again = new ConfigSet();
    again.load(entries.map(({ resource, text }) => ({ resource, text, createdAtMs: 1 })));
    assert.deepEqual([...again.entries.keys()].sort(), entries.map((entry) => entry.key).sort());
    for (const entry of entries) {
      const { resource } = again.entries.get(entry.key)!;
      assert.equal(resource.origins.at("").line, entry.resource.origins.at("").line, entry.key);
      assert.deepEqual(resource.spec, entry.resource.spec);
    }
  });
}

test("a document keeps its own comments and nothing of its neighbours", () => {
  const file = {
    name: "m.yaml",
    text: `# about a\n${virtualService("a")}---\n# about b\n${virtualService("b")}`,
  };
  const texts = splitDocuments(file);
  assert.equal(texts.get("VirtualService/default/b")!.text, `# about b\n${virtualService("b")}`);
  assert.equal(texts.get("VirtualService/default/b")!.line, 14);
});

test("texts of one file that overlap are read as separate files of the same name", () => {
  const texts = [1, 3].map((line) => ({ text: virtualService(`n${line}`), file: "m.yaml", line }));
  const files = joinDocuments(texts);
  assert.deepEqual(
    files.map((file) => file.name),
    ["m.yaml", "m.yaml"],
  );
});

test("a bad file is reported and its last good version stays in force", () => {
  const set = new ConfigSet();
  const good = { name: "a.yaml", text: virtualService("a") };
  set.setDirectory([good, { name: "b.yaml", text: virtualService("b") }]);
  assert.equal(
    set.setDirectory([
      { name: "a.yaml", text: broken },
      { name: "b.yaml", text: virtualService("b") },
    ]),
    true,
  );
  assert.ok(set.entries.has("VirtualService/default/a"));
  assert.ok(set.entries.has("VirtualService/default/b"));
  assert.ok(set.diagnostics.some((d) => d.severity === "error" && d.origin?.file === "a.yaml"));
  set.setDirectory([good, { name: "b.yaml", text: virtualService("b") }]);
  assert.deepEqual(
    set.diagnostics.filter((d) => d.severity === "error"),
    [],
  );
});

const security = (kind: string, spec: string) =>
  `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: guard, namespace: shop }\nspec: ${spec}\n`;
const selector = "selector: { matchLabels: { app: api } }";
const closed: readonly (readonly [name: string, kind: string, spec: string, ...inForce: object[]])[] = [
  [
    "an ALLOW policy allows nothing",
    "AuthorizationPolicy",
    `{ ${selector}, rules: [{ from: [{ source: { principal: [x] } }] }] }`,
    { selector: { matchLabels: { app: "api" } }, action: "ALLOW", rules: [] },
  ],
  [
    "a DENY policy denies everything",
    "AuthorizationPolicy",
    `{ ${selector}, action: DENY, rules: [{ to: [{ operation: { methods: GET } }] }] }`,
    { selector: { matchLabels: { app: "api" } }, action: "DENY", rules: [{}] },
  ],
  [
    "a policy of an unknown action denies everything",
    "AuthorizationPolicy",
    `{ ${selector}, action: DENNY }`,
    { selector: { matchLabels: { app: "api" } }, action: "DENY", rules: [{}] },
  ],
  [
    "a policy whose selector cannot be read is for its namespace",
    "AuthorizationPolicy",
    "{ selector: [api], action: DENY }",
    { action: "DENY", rules: [{}] },
  ],
  [
    "mutual TLS is strict",
    "PeerAuthentication",
    `{ ${selector}, mtls: { mode: STRIKT } }`,
    { selector: { matchLabels: { app: "api" } }, mtls: { mode: "STRICT" } },
  ],
  ["what is only audited keeps nobody out", "AuthorizationPolicy", "{ action: AUDIT, ruls: [] }"],
];
for (const [name, kind, spec, ...inForce] of closed) {
  test(`a security policy that is refused lets in nobody more: ${name}, until it is corrected`, () => {
    const text = security(kind, spec);
    const set = new ConfigSet();
    set.setDirectory([{ name: "guard.yaml", text }]);
    assert.deepEqual(
      set.resources.map((resource) => resource.spec),
      inForce,
    );
    assert.ok(set.diagnostics.some(({ severity }) => severity === "error"));
    assert.equal(set.diagnostics.filter(({ code }) => code === "W1014").length, inForce.length);
    const stored = new ConfigSet();
    const resource = { kind, namespace: "shop", name: "guard" } as never;
    stored.load([{ resource, text: { text, file: "guard.yaml", line: 1 }, createdAtMs: 1 }]);
    assert.deepEqual(
      stored.resources.map((one) => one.spec),
      inForce,
    );
    const good = security(
      kind,
      kind === "PeerAuthentication" ? "{ mtls: { mode: PERMISSIVE } }" : "{ rules: [{}] }",
    );
    set.setDirectory([{ name: "guard.yaml", text: good }]);
    assert.deepEqual(set.diagnostics, []);
  });
}

test("a security policy that is refused by an apply changes nothing", () => {
  const { entries, guards } = readEntries(
    [{ name: "guard.yaml", text: security("AuthorizationPolicy", "{ action: DENNY }") }],
    "store",
  );
  assert.deepEqual([entries.length, guards.length], [0, 1]);
});

test("a deleted file takes its resources with it", () => {
  const set = new ConfigSet();
  set.setDirectory([{ name: "a.yaml", text: virtualService("a") }]);
  set.setDirectory([]);
  assert.equal(set.entries.size, 0);
});

test("an unchanged directory changes nothing", () => {
  const set = new ConfigSet();
  set.setDirectory([{ name: "a.yaml", text: virtualService("a") }]);
  assert.equal(set.setDirectory([{ name: "a.yaml", text: virtualService("a") }]), false);
});

test("a resource in two files is in force once, and the second is named", () => {
  const set = new ConfigSet();
  set.setDirectory([
    { name: "a.yaml", text: virtualService("a") },
    { name: "b.yaml", text: virtualService("a", "elsewhere") },
  ]);
  assert.equal(set.entries.get("VirtualService/default/a")!.text.file, "a.yaml");
  assert.ok(set.diagnostics.some((d) => d.code === "W1011" && d.origin?.file === "b.yaml"));
});

test("the directory goes before what was applied, and says so", () => {
  const set = new ConfigSet();
  set.put(readEntries([{ name: "applied.yaml", text: virtualService("a") }], "store").entries);
  set.setDirectory([{ name: "a.yaml", text: virtualService("a") }]);
  assert.equal(set.entries.get("VirtualService/default/a")!.source, "directory");
  assert.ok(set.diagnostics.some((d) => d.code === "W1012" && d.origin?.file === "applied.yaml"));
});

function stored(name: string, text: ResourceText) {
  const resource = {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    namespace: "default",
    name,
  };
  return { resource, text, createdAtMs: 1 };
}

test("stored resources that came from one place at different times keep each its own text", () => {
  const set = new ConfigSet();
  const at = (name: string) => ({ text: virtualService(name), file: "<stdin>", line: 1 });
  set.load([stored("a", at("a")), stored("b", at("b"))]);
  assert.deepEqual(
    [...set.entries.values()].map(({ key, text }) => [key, text.text]),
    [
      ["VirtualService/default/a", virtualService("a")],
      ["VirtualService/default/b", virtualService("b")],
    ],
  );
});

test("a stored resource that no longer parses is reported and takes no other down", () => {
  const set = new ConfigSet();
  set.load([
    stored("a", { text: virtualService("a"), file: "m.yaml", line: 1 }),
    stored("b", { text: broken, file: "m.yaml", line: 20 }),
  ]);
  assert.deepEqual([...set.entries.keys()], ["VirtualService/default/a"]);
  const error = set.diagnostics.find((d) => d.severity === "error");
  assert.equal(error?.origin?.line, 27);
});
