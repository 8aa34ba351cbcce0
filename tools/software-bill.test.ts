import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Component, type LockFile, softwareBill } from "./software-bill.ts";

const root = join(import.meta.dirname, "..");
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as LockFile;
const { components, dependencies } = softwareBill(lock) as {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};
/** That may be part of what is published under Apache-2.0. */
const licenses = [
  "Apache-2.0",
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "BlueOak-1.0.0",
  "(Apache-2.0 AND BSD-3-Clause)",
];

test("the bill of software has every package of the lock file once, and each that it needs", () => {
  const installed = Object.entries(lock.packages).filter(
    ([path, { link }]) => path.includes("node_modules/") && !link,
  );
  const names = new Set(
    installed.map(
      ([path, { version }]) => `${path.slice(path.lastIndexOf("node_modules/") + 13)}@${version}`,
    ),
  );
  assert.equal(components.length, names.size);
  const refs = new Set(components.map((component) => component["bom-ref"]));
  for (const { dependsOn } of dependencies) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
  assert.equal(
    JSON.stringify(softwareBill(lock)),
    JSON.stringify(softwareBill(lock)),
    "equal for equal locks",
  );
});

test("what is published is known by its hash, and under a licence that allows it", () => {
  const published = components.filter(({ scope }) => scope !== "excluded");
  for (const name of ["@bufbuild/protobuf", "ajv", "koffi", "pino", "re2js", "yaml", "commander", "preact"]) {
    assert.ok(
      published.some((component) => component.name === name),
      `${name} is part of it`,
    );
  }
  assert.ok(!published.some(({ name }) => ["typescript", "fast-check", "playwright-core"].includes(name)));
  for (const { purl, hashes, licenses: own } of published) {
    assert.ok(
      hashes.some(({ alg, content }) => alg === "SHA-512" && content.length === 128),
      purl,
    );
    assert.ok(
      own.every(({ expression }) => licenses.includes(expression)) && own.length > 0,
      `${purl}: ${JSON.stringify(own)}`,
    );
  }
});

test("every package is pinned by its hash, and no registry is", () => {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  for (const [path, { integrity, link }] of Object.entries(lock.packages)) {
    if (path.includes("node_modules/") && !link) assert.match(integrity ?? "", /^sha512-/, path);
  }
  assert.doesNotMatch(text, /"resolved": "(?!packages\/)/);
  assert.doesNotMatch(JSON.stringify(softwareBill(lock)), /https?:/);
});

test("the sidecar has no more packages than its budget, transitive ones included", () => {
  const named = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const own = Object.keys(lock.packages["packages/proxy"]!.dependencies ?? {}).filter(
    (name) => !name.startsWith("@weft/"),
  );
  const reached = new Set<string>();
  const visit = (ref: string): void => {
    if (reached.has(ref)) return;
    reached.add(ref);
    for (const next of named.get(ref) ?? []) visit(next);
  };
  for (const name of own) visit(components.find((component) => component.name === name)!["bom-ref"]);
  const libraries = [...reached].filter((ref) => !/koromix|koffi-/.test(ref));
  assert.ok(libraries.length <= 5, libraries.join(", "));
});
