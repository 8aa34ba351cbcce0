/**
 * Rewrites `src/config/schemas/*.schema.json` from the published CRDs of Istio,
 * of the Gateway API and of Flagger.
 *
 *   node packages/control/tools/trim-schemas.ts <folder of the Go module istio.io/api>
 *   node packages/control/tools/trim-schemas.ts <folder of the Go module sigs.k8s.io/gateway-api>
 *   node packages/control/tools/trim-schemas.ts <folder of the Go module github.com/fluxcd/flagger>
 *
 * (`go mod download -json istio.io/api@v1.31.4` prints that folder as `Dir`.)
 * Keeps each kind's `spec` schema as published, minus prose and the CEL rules,
 * which `src/config/check-*.ts` states as code with a place and a hint.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

interface Source {
  /** CRDs, below the module's folder. */
  readonly files: string;
  readonly kinds: readonly string[];
  readonly dropped: readonly string[];
}

const prose = ["description", "x-kubernetes-validations"];
const sources: readonly Source[] = [
  {
    files: "kubernetes/customresourcedefinitions.gen.yaml",
    kinds: [
      "VirtualService",
      "DestinationRule",
      "ServiceEntry",
      "WorkloadEntry",
      "WorkloadGroup",
      "Sidecar",
      "Gateway",
      "PeerAuthentication",
      "AuthorizationPolicy",
      "RequestAuthentication",
      "Telemetry",
      "ProxyConfig",
    ],
    dropped: [...prose, "x-kubernetes-list-map-keys", "x-kubernetes-list-type"],
  },
  {
    // The standard fields and the experimental ones.
    files: "config/crd/experimental/gateway.networking.k8s.io_*.yaml",
    kinds: [
      "GatewayClass",
      "Gateway",
      "HTTPRoute",
      "GRPCRoute",
      "TCPRoute",
      "TLSRoute",
      "ListenerSet",
      "ReferenceGrant",
      "BackendTLSPolicy",
    ],
    dropped: prose,
  },
  {
    files: "artifacts/flagger/crd.yaml",
    kinds: ["Canary"],
    dropped: prose,
  },
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Drops prose, but never a property that happens to be called `description`. */
function trim(schema: Json, dropped: readonly string[], insideProperties = false): Json {
  if (Array.isArray(schema)) return schema.map((item) => trim(item, dropped));
  if (schema === null || typeof schema !== "object") return schema;
  const kept: { [key: string]: Json } = {};
  for (const key of Object.keys(schema).sort()) {
    if (!insideProperties && dropped.includes(key)) continue;
    kept[key] = trim(schema[key]!, dropped, !insideProperties && key === "properties");
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

const folder = process.argv[2] ?? "";
const source = sources.find(({ files }) => globSync(files, { cwd: folder }).length > 0);
if (!existsSync(folder) || !source) throw new Error("usage: trim-schemas.ts <folder of a Go module>");
const target = new URL("../src/config/schemas/", import.meta.url);
for (const file of globSync(source.files, { cwd: folder }).sort()) {
  for (const document of parseAllDocuments(readFileSync(join(folder, file), "utf8"))) {
    const crd = document.toJS() as Crd | null;
    if (!crd?.spec?.names || !source.kinds.includes(crd.spec.names.kind)) continue;
    write(crd, source.dropped);
  }
}

/** The first version is the newest: where versions differ, it says what its predecessors said and more. */
function write({ spec }: Crd, dropped: readonly string[]): void {
  // Istio has a Gateway too, and was here first.
  const kind =
    spec.group === "gateway.networking.k8s.io" && spec.names.kind === "Gateway"
      ? "KubernetesGateway"
      : spec.names.kind;
  const [newest] = spec.versions.map((v) => trim(v.schema.openAPIV3Schema.properties.spec, dropped));
  const out = {
    kind,
    apiVersions: spec.versions.map((v) => `${spec.group}/${v.name}`),
    spec: newest!,
  };
  const words = kind.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-");
  writeFileSync(new URL(`${words.toLowerCase()}.schema.json`, target), `${JSON.stringify(out, null, 1)}\n`);
}
