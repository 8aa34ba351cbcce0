import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ApiError } from "./api/client.ts";
import {
  clustersOfRoute,
  destinationRule,
  reviewsCluster,
  runningMesh,
  setUp,
  until,
  virtualService,
} from "./test-running-mesh.ts";

test("an apply with an error is refused with its place, and nothing has changed", async (t) => {
  const setting = await setUp(t);
  const { webSidecar } = await runningMesh(t, setting);
  const before = await setting.api.apply({ files: [{ name: "dr.yaml", text: destinationRule }] });
  const cases: readonly (readonly [string, string, number])[] = [
    ["a route to a subset that is not there", virtualService.replace("v2", "v9"), 9],
    ["an unknown field", virtualService.replace("http:", "htpp:"), 7],
    ["an unknown kind", virtualService.replace("kind: VirtualService", "kind: VirtualServce"), 2],
    ["text that is no YAML", virtualService.replace("hosts: [reviews]", "hosts: [reviews"), 7],
  ];
  for (const [name, text, line] of cases) {
    const good = destinationRule
      .replace("name: reviews", "name: other")
      .replace("host: reviews", "host: other");
    const files = [
      { name: "good.yaml", text: good },
      { name: "bad.yaml", text },
    ];
    await assert.rejects(setting.api.apply({ files }), (error) => {
      assert.ok(error instanceof ApiError, name);
      const found = error.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
      assert.equal(found[0]?.origin?.file, "bad.yaml", name);
      assert.equal(found[0]?.origin?.line, line, `${name}: ${found[0]?.message}`);
      return true;
    });
  }
  assert.equal((await setting.api.status()).revision, before.revision);
  assert.equal(
    (await setting.api.listResources()).resources.length,
    1,
    "the good file beside it is not applied either",
  );
  assert.deepEqual(clustersOfRoute(webSidecar), [reviewsCluster]);
});

test("a conflict with what is applied is told at the place that is applied now, and names the other", async (t) => {
  const { api } = await setUp(t);
  const files = [{ name: "first.yaml", text: `${destinationRule}---\n${virtualService}` }];
  const { revision } = await api.apply({ files });
  for (const name of ["a-before", "z-after"]) {
    const text = virtualService.replace("name: reviews", `name: ${name}`);
    await assert.rejects(api.apply({ files: [{ name: "second.yaml", text }] }), (error) => {
      assert.ok(error instanceof ApiError);
      const found = error.diagnostics.filter(({ severity }) => severity === "error");
      assert.deepEqual(
        found.map(({ code, origin, other }) => [code, origin?.file, other?.file]),
        [["IST0109", "second.yaml", "first.yaml"]],
        name,
      );
      return true;
    });
  }
  await assert.rejects(
    api.apply({ files: [{ name: "empty.yaml", text: "# later\n" }] }),
    /^UserError: empty\.yaml: nothing to apply/,
  );
  assert.equal((await api.status()).revision, revision);
});

test("a dry run says what would change and changes nothing", async (t) => {
  const { api } = await setUp(t);
  const files = [{ name: "dr.yaml", text: destinationRule }];
  const dry = await api.apply({ files, dryRun: true });
  assert.deepEqual(
    dry.resources.map((resource) => resource.action),
    ["created"],
  );
  assert.equal((await api.listResources()).resources.length, 0);
  await api.apply({ files });
  const again = await api.apply({ files });
  assert.equal(again.resources[0]!.action, "unchanged");
  assert.equal(again.revision, 1);
});

test("get shows what was written, delete takes it away, and both are in the history", async (t) => {
  const { api } = await setUp(t);
  const key = { kind: "DestinationRule", namespace: "default", name: "reviews" };
  const text = `# ours\n${destinationRule}`;
  await api.apply({ files: [{ name: "dr.yaml", text: `\n\n${text}` }] });
  const record = await api.getResource(key);
  assert.equal(record.text, text);
  assert.equal(record.origin, "dr.yaml:3");
  assert.equal((await api.deleteResource(key)).revision, 2);
  await assert.rejects(api.getResource(key), /there is no DestinationRule default\/reviews/);
  await assert.rejects(api.deleteResource(key), /there is no DestinationRule default\/reviews/);
  assert.deepEqual(
    (await api.revisions()).map(({ revision, changes }) => [revision, changes[0]!.action]),
    [
      [2, "deleted"],
      [1, "created"],
    ],
  );
});

test("a watched directory is applied; a bad file in it is reported and its last good version stays", async (t) => {
  const configDir = mkdtempSync(join(tmpdir(), "weft-mesh-"));
  t.after(() => rmSync(configDir, { recursive: true }));
  const file = join(configDir, "dr.yaml");
  writeFileSync(file, destinationRule);
  const { api } = await setUp(t, { configDir });
  const [record] = (await api.listResources()).resources;
  assert.equal(record!.source, "directory");
  await assert.rejects(api.deleteResource(record!), /comes from the control plane's own directory/);
  await assert.rejects(api.apply({ files: [{ name: "mine.yaml", text: destinationRule }] }), (error) => {
    assert.match((error as ApiError).diagnostics[0]!.hint!, /dr\.yaml:1/);
    return true;
  });
  writeFileSync(file, destinationRule.replace("subsets:", "subset:"));
  await until(async () => (await api.status()).diagnostics.some((d) => d.severity === "error"));
  assert.equal((await api.listResources()).resources.length, 1);
  rmSync(file);
  await until(async () => (await api.listResources()).resources.length === 0);
});
