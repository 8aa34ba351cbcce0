import type { ConditionSpec, OperationSpec, SourceSpec } from "../config/specs.ts";
import type { Provenance } from "./mesh.ts";

/** What an inbound port accepts: mutual TLS only, either, or plaintext only. */
export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

/** An enforced policy. Without rules it matches no request. */
export interface AuthorizationPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly AuthorizationRule[];
  readonly source: Provenance;
}

/** All three parts must hold; in `from` and `to` one of the entries. An empty part always holds. */
export interface AuthorizationRule {
  readonly from: readonly SourceSpec[];
  readonly to: readonly OperationSpec[];
  readonly when: readonly ConditionSpec[];
}
