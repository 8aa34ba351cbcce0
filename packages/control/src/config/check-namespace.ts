import type { CheckedMetadata, Finding } from "./finding.ts";
import { isDnsLabel } from "./values.ts";

/** Of a Namespace its labels are read, by which Gateways choose whose routes and listeners they take. */
export function checkNamespace(_: unknown, find: Finding, { name }: CheckedMetadata): void {
  if (isDnsLabel(name)) return;
  find.error(
    "W1010",
    "metadata.name",
    `"${name}" is not a namespace`,
    "lower-case letters, digits and dashes",
  );
}
