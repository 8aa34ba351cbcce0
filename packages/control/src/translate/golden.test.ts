import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { golden } from "@weft/testkit/golden";
import { schemas } from "../snapshot/encode.ts";
import { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import { asYaml, type Fixture, messageJson, readFixture } from "./mesh-fixture.ts";
import type { PartType } from "./part.ts";
import { translateSidecar } from "./translate-sidecar.ts";

const folder = new URL("../../testdata/golden/", import.meta.url);
const inputs = globSync("*.in.yaml", { cwd: fileURLToPath(folder) }).sort();

function modelText({ mesh, findings }: Fixture): string {
  const { options: _, rules, scopes, attached, gatewayRouting, secrets, ...model } = mesh;
  const others = Object.entries({ rules, scopes, attached, gatewayRouting, secrets });
  return asYaml({ findings, ...model, ...Object.fromEntries(others.filter(([, map]) => map.size > 0)) });
}

function xdsText({ mesh, proxy, features }: Fixture): string {
  const resources = translateSidecar(mesh, mesh.workloads.get(proxy)!, features);
  const given = Object.entries(resources).filter(
    ([type, list]) => !["virtualHost", "secret", "workloadTemplate"].includes(type) || list.length > 0,
  );
  const shown = given.map(([type, list]) => [
    type,
    Object.fromEntries(
      list.map(({ name, message }) => [name, messageJson(schemas[type as PartType], message)]),
    ),
  ]);
  return asYaml(Object.fromEntries(shown));
}

describe("from YAML to the model and to xDS", () => {
  for (const input of inputs) {
    const behaviour = basename(input, ".in.yaml");
    it(behaviour.replaceAll("-", " "), () => {
      const file = pathToFileURL(`${dirname(fileURLToPath(folder))}/golden/${input}`);
      const fixture = readFixture(file);
      golden(new URL(`${behaviour}.model.yaml`, folder), modelText(fixture));
      golden(new URL(`${behaviour}.xds.yaml`, folder), xdsText(fixture));
      const snapshot = new SnapshotBuilder().build(fixture.mesh, {
        id: fixture.proxy,
        features: fixture.features,
      });
      assert.ok(snapshot.byType.size > 0, "every golden is also a consistent snapshot");
    });
  }
});
