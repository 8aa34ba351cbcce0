import { roles } from "./role.ts";
import type { AnyRoute } from "./route.ts";

/** The operations of docs/api.md, by the role they need. Pure, so that a test holds the page to it. */
export function operationsTable(routes: readonly AnyRoute[]): string {
  const rows = roles.flatMap((role) => routes.filter((route) => route.role === role).map(rowOf));
  return ["| role | operation | |", "| --- | --- | --- |", ...rows, ""].join("\n");
}

function rowOf({ role, method, path, summary, isStream }: AnyRoute): string {
  return `| ${role} | \`${method} ${path}\` | ${summary}${isStream ? " (a stream)" : ""} |`;
}
