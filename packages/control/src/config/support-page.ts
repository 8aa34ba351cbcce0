import { namedPath } from "./check-support.ts";
import type { FieldSupport } from "./field-support.ts";
import { type GrpcSupport, grpcSupport } from "./grpc-support.ts";
import { laterKinds, type MeshKind, meshKinds } from "./kinds.ts";
import { kindSchemas } from "./schema.ts";
import { fieldSupport } from "./support.ts";

const head = `# What is supported

Every field of every kind that Weft reads. This page is made from the tables the control plane itself goes by (\`UPDATE_GOLDEN=1 npm test -- support-page\`): a field that is not supported is named, with its line, wherever it is used.

- **yes**: it does what its documentation says; so does everything below it that has no row of its own.
- **partly**: the remark says which values, or what happens otherwise.
- **no, refused**: a resource with it is not applied (error W1302), because it would mean something else without.
- **no, ignored**: the rest is applied, with a warning (W1301), or with a note (W1305) where it means nothing here.

*Sidecars* are Weft's own and Envoy alike: they are given the same xDS. *gRPC* is an application that is its own data plane (\`weft run --proxy none\`).
`;

const tail = "\n## Kinds that are not served\n\nReported by name (W1303) and not applied:\n\n";

/** The text of docs/support.md. Pure, so that a test holds the page to it. */
export function supportPage(): string {
  const kinds = meshKinds.map((kind) => `\n## ${kind}\n\n${versions(kind)}\n\n${kindTable(kind)}`);
  const later = [...laterKinds].flatMap(([group, kinds]) =>
    Object.entries(kinds).map(([kind, instead]) => `- ${kind} (${group}): ${instead}\n`),
  );
  return `${head}${kinds.join("")}${tail}${later.join("")}`;
}

function versions(kind: MeshKind): string {
  return kindSchemas[kind].apiVersions.map((version) => `\`${version}\``).join(", ");
}

interface Line {
  readonly path: string;
  readonly sidecars: string;
  readonly grpc: string;
  readonly remark: string;
}

function kindTable(kind: MeshKind): string {
  const rows = fieldSupport.filter((row) => row.kind === kind);
  const lines = [...rows.map((row) => lineOf(row)), ...onlyGrpc(kind, rows)];
  const { kept, repeated } = withoutRepeats(lines);
  const table = kept
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(
      ({ path, sidecars, grpc, remark }) =>
        `| \`${namedPath(kind, path)}\` | ${sidecars} | ${grpc} | ${remark} |\n`,
    );
  const again = repeated.map((base) => `\n\`${base}\` has the same as \`spec.trafficPolicy\`.\n`);
  return `| field | sidecars | gRPC | remark |\n| --- | --- | --- | --- |\n${table.join("")}${again.join("")}`;
}

function lineOf(row: FieldSupport): Line {
  const grpc = grpcOf(row);
  const values = row.accepts?.values?.map((value) => `\`${value === "" ? '""' : String(value)}\``).join(", ");
  const said = values ? `only ${values}; otherwise ${row.note}` : row.note;
  const remarks = [said, grpc && `gRPC: ${grpc.note}`].filter(Boolean).join("; ");
  const own = row.support === "no" ? `no, ${row.report === "error" ? "refused" : "ignored"}` : row.support;
  return {
    path: row.path,
    sidecars: own,
    grpc: row.support === "no" ? "no" : (grpc?.support ?? row.support),
    remark: remarks,
  };
}

/** The nearest row that covers the field. */
function grpcOf({ kind, path }: Pick<FieldSupport, "kind" | "path">): GrpcSupport | undefined {
  const covering = grpcSupport.filter(
    (row) => row.kind === kind && (row.path === path || isBelow(path, row.path)),
  );
  return covering.sort((a, b) => b.path.length - a.path.length)[0];
}

/** What gRPC leaves out below a field that sidecars have as a whole. */
function onlyGrpc(kind: MeshKind, rows: readonly FieldSupport[]): Line[] {
  return grpcSupport
    .filter(
      (row) => row.kind === kind && !rows.some(({ path }) => path === row.path || isBelow(path, row.path)),
    )
    .map(({ path, support, note }) => ({ path, sidecars: "yes", grpc: support, remark: `gRPC: ${note}` }));
}

function isBelow(path: string, of: string): boolean {
  return path.startsWith(of) && /^[.[]/.test(path.slice(of.length));
}

/** A traffic policy stands in four places of a DestinationRule: what is the same in all is said once. */
const repeats = [
  "spec.subsets[].trafficPolicy.portLevelSettings[]",
  "spec.subsets[].trafficPolicy",
  "spec.trafficPolicy.portLevelSettings[]",
];

function withoutRepeats(lines: readonly Line[]): { readonly kept: Line[]; readonly repeated: string[] } {
  const repeated = new Set<string>();
  const kept = lines.filter((line) => {
    const base = repeats.find((one) => isBelow(line.path, one));
    if (base === undefined) return true;
    const path = `spec.trafficPolicy${line.path.slice(base.length)}`;
    const isSame = lines.some(
      (other) =>
        other.path === path &&
        other.sidecars === line.sidecars &&
        other.grpc === line.grpc &&
        other.remark === line.remark,
    );
    if (isSame) repeated.add(base);
    return !isSame;
  });
  return { kept, repeated: [...repeated].sort() };
}
