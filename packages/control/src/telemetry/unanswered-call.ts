import type { Labels } from "./sample.ts";

/**
 * How a call ended that got no answer from its destination: `undelivered` calls
 * never reached it and are in no other sidecar's metrics, `abandoned` ones did,
 * and are counted there as calls but not as failures.
 */
export type Ending = "undelivered" | "abandoned";

/** The caller's sidecar answered without an endpoint, or without a connection to one. */
const undelivered: ReadonlySet<string> = new Set([
  "UH",
  "UF",
  "UO",
  "NR",
  "NC",
  "FI",
  "RL",
  "RLSE",
  "UAEX",
  "OM",
]);

/** The caller's sidecar stopped waiting. */
const abandoned: ReadonlySet<string> = new Set(["UT", "SI", "UMSDR"]);

/**
 * What a caller's series says of its calls, by Envoy's response flags; undefined
 * when the destination answered, or when the caller itself went away.
 *
 * A wait that ended without the destination's certificate having been seen never
 * reached it. (In plaintext this cannot be told from one that did, and a call
 * that timed out is then counted twice: as a call there, as a failure here.)
 */
export function endingOf(labels: Labels): Ending | undefined {
  const flags = labels.response_flags?.split(",") ?? [];
  if (flags.some((flag) => undelivered.has(flag))) return "undelivered";
  if (!flags.some((flag) => abandoned.has(flag))) return undefined;
  const principal = labels.destination_principal ?? "";
  return principal === "" || principal === "unknown" ? "undelivered" : "abandoned";
}
