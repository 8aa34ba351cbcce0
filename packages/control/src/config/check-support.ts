import type { Diagnostics } from "@weft/base/diagnostics";
import type { FieldSupport } from "./field-support.ts";
import type { MeshKind } from "./kinds.ts";
import { joinPath, type Origins } from "./origins.ts";
import { contentPath } from "./schema.ts";
import { fieldSupport } from "./support.ts";

const byPath: ReadonlyMap<string, FieldSupport> = new Map(
  fieldSupport.map((row) => [`${row.kind} ${row.path}`, row]),
);

/** The row that covers a pattern such as `spec.http[].match[].uri.exact`: its own, or its nearest ancestor's. */
export function supportOf(kind: MeshKind, pattern: string): FieldSupport | undefined {
  for (let path = pattern; path !== ""; ) {
    const row = byPath.get(`${kind} ${path}`);
    if (row) return row;
    const withoutIndex = path.endsWith("[]") ? path.slice(0, -2) : undefined;
    path = withoutIndex ?? path.slice(0, Math.max(path.lastIndexOf("."), 0));
  }
  return undefined;
}

/** What is not content where that stands beside `metadata`. */
const beside: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "status"]);

/** A row's path as it stands in a document of this kind. */
export function namedPath(kind: MeshKind, pattern: string): string {
  return contentPath(kind) === "spec" ? pattern : pattern.slice("spec.".length);
}

/** Names every field in use that Weft does not apply as written. False when one of them refuses the resource. */
export function checkSupport(
  kind: MeshKind,
  spec: unknown,
  origins: Origins,
  diagnostics: Diagnostics,
): boolean {
  let isAccepted = true;
  const visit = (value: unknown, path: string, pattern: string): void => {
    const row = byPath.get(`${kind} ${pattern}`);
    if (row && row.support !== "yes" && !row.accepts?.(value)) {
      const shown = row.accepts && typeof value !== "object" ? ` ${String(value)}` : "";
      const message = `${kind}.${namedPath(kind, pattern)}${shown} is not supported yet: ${row.note}`;
      const at = origins.keyAt(path);
      if (row.report === "error") diagnostics.error("W1302", at, message, "remove it to accept the rest");
      else if (row.report === "warning") diagnostics.warning("W1301", at, message);
      else diagnostics.info("W1305", at, message.replace(" is not supported yet", " is not used"));
      if (row.report === "error") isAccepted = false;
      if (row.support === "no") return;
    }
    if (Array.isArray(value)) {
      value.forEach((item, i) => {
        visit(item, joinPath(path, i), `${pattern}[]`);
      });
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        visit(item, joinPath(path, key), joinPath(pattern, key));
      }
    }
  };
  if (contentPath(kind) === "spec") visit(spec, "spec", "spec");
  else {
    for (const [field, value] of Object.entries(spec as object)) {
      if (!beside.has(field)) visit(value, field, joinPath("spec", field));
    }
  }
  return isAccepted;
}
