/**
 * Rewrites `src/config/schemas/*.schema.json` from Istio's published CRDs.
 *
 *   node packages/control/tools/trim-schemas.ts <folder of the Go module istio.io/api>
 *
 * (`go mod download -json istio.io/api@v1.31.4` prints that folder as `Dir`.)
 * Keeps each kind's `spec` schema as published, minus prose and the CEL rules,
 * which `src/config/check-*.ts` states as code with a place and a hint.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

const kinds = [
  "VirtualService",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "PeerAuthentication",
  "AuthorizationPolicy",
];
const dropped = new Set([
  "description",
  "x-kubernetes-validations",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
]);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Drops prose, but never a property that happens to be called `description`. */
function trim(schema: Json, insideProperties = false): Json {
  if (Array.isArray(schema)) return schema.map((item) => trim(item));
  if (schema === null || typeof schema !== "object") return schema;
  const kept: { [key: string]: Json } = {};
  for (const key of Object.keys(schema).sort()) {
    if (!insideProperties && dropped.has(key)) continue;
    kept[key] = trim(schema[key]!, !insideProperties && key === "properties");
  }
  return kept;
}

interface Crd {
  spec: {
    names: { kind: string };
    group: string;
    versions: { name: string; schema: { openAPIV3Schema: { properties: { spec: Json } } } }[];
  };
}

const folder = process.argv[2];
if (!folder) throw new Error("usage: trim-schemas.ts <folder of the Go module istio.io/api>");
const text = readFileSync(join(folder, "kubernetes", "customresourcedefinitions.gen.yaml"), "utf8");
const target = new URL("../src/config/schemas/", import.meta.url);
for (const document of parseAllDocuments(text)) {
  const crd = document.toJS() as Crd | null;
  if (!crd || !kinds.includes(crd.spec.names.kind)) continue;
  const { kind } = crd.spec.names;
  const trimmed = crd.spec.versions.map((v) =>
    JSON.stringify(trim(v.schema.openAPIV3Schema.properties.spec)),
  );
  if (new Set(trimmed).size !== 1) throw new Error(`${kind}: its versions no longer share one schema`);
  const out = {
    kind,
    apiVersions: crd.spec.versions.map((v) => `${crd.spec.group}/${v.name}`),
    spec: JSON.parse(trimmed[0]!) as Json,
  };
  const file = `${kind.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}.schema.json`;
  writeFileSync(new URL(file, target), `${JSON.stringify(out, null, 1)}\n`);
}
