import type { Severity } from "@weft/base/diagnostics";
import type { MeshKind } from "./kinds.ts";

/**
 * What Weft does with each field of the kinds it reads, from which both the
 * findings at load time and the published support table come. A row covers its
 * path and everything below that has no row of its own.
 */
export interface FieldSupport {
  readonly kind: MeshKind;
  /** `[]` stands for every item, `*` for every key of a map. */
  readonly path: string;
  readonly support: "yes" | "partly" | "no";
  /** How a use that is not supported is reported. An error refuses the resource: its meaning would change. */
  readonly report: Severity;
  /** What happens, or does not: completes "… is not supported yet: ". */
  readonly note: string;
  /** For "partly": the values that are supported. */
  readonly accepts?: Accepts;
}

/** Whether a value is supported. Where it is one of a few, they are told. */
export interface Accepts {
  (value: unknown): boolean;
  readonly values?: readonly unknown[];
}

type Row = readonly [path: string, note: string, accepts?: Accepts];

/** What makes the rows of one kind. */
export const rows = (kind: MeshKind) => ({
  yes: (...paths: string[]): FieldSupport[] =>
    paths.map((path) => ({ kind, path, support: "yes", report: "info", note: "" })),
  /** Refused: without it the resource would route or permit something else than written. */
  refused: (...list: Row[]) => list.map((row) => unsupported(kind, "error", row)),
  /** Applied without it, with a warning. */
  skipped: (...list: Row[]) => list.map((row) => unsupported(kind, "warning", row)),
  /** Means nothing outside Kubernetes. */
  idle: (...list: Row[]) => list.map((row) => unsupported(kind, "info", row)),
});

function unsupported(kind: MeshKind, report: Severity, [path, note, accepts]: Row): FieldSupport {
  return { kind, path, support: accepts ? "partly" : "no", report, note, accepts };
}

export const oneOf = (...values: unknown[]): Accepts =>
  Object.assign((value: unknown) => values.includes(value), { values });
