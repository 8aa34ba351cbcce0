import { allows, type Role } from "../api/role.ts";
import type { NamedRole } from "./access-file.ts";

/** The one that allows most; undefined of none. */
export function strongest(found: readonly Role[]): Role | undefined {
  return found.reduce<Role | undefined>(
    (best, role) => (best === undefined || allows(role, best) ? role : best),
    undefined,
  );
}

/**
 * What somebody of these names may do. A pattern is a whole name, `*.example.com`
 * for one label below a DNS name, or ends in `/*` for everything below a URI.
 */
export function roleOfNames(own: readonly string[], rules: readonly NamedRole[]): Role | undefined {
  const matching = rules.filter(({ names }) =>
    names.some((pattern) => own.some((name) => matches(name, pattern))),
  );
  return strongest(matching.map(({ role }) => role));
}

function matches(name: string, pattern: string): boolean {
  if (pattern.endsWith("/*")) return name.startsWith(pattern.slice(0, -1)) && name.length >= pattern.length;
  if (pattern.startsWith("*.")) {
    const dot = name.indexOf(".");
    return dot > 0 && name.slice(dot).toLowerCase() === pattern.slice(1).toLowerCase();
  }
  return pattern.includes("://") ? name === pattern : name.toLowerCase() === pattern.toLowerCase();
}
