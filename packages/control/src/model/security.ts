import type { ConditionSpec, OperationSpec, SourceSpec } from "../config/security-specs.ts";
import type { Provenance } from "./provenance.ts";

/** What an inbound port accepts: mutual TLS only, either, or plaintext only. */
export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

/** Whose tokens a workload takes: a request with a bad one is refused, one with none is not. */
export interface JwtRule {
  /** What it is called in xDS: `ns[default]-authentication[jwt]-rule[0]`. */
  readonly name: string;
  /** "" takes any. */
  readonly issuer: string;
  /** Empty takes any. */
  readonly audiences: readonly string[];
  /** A JSON Web Key Set; undefined: not known, so that no token can be verified. */
  readonly keys: string | undefined;
  /** Where tokens are looked for; the usual places where none is named. */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  /** "" writes none. */
  readonly payloadHeader: string;
  readonly claimHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** Whether the application gets the token too. */
  readonly isForwarded: boolean;
  /** Claims whose text is a list of words. */
  readonly splitClaims: readonly string[];
  readonly source: Provenance;
}

export type AuthorizationAction = "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";

/** Without rules it matches no request. */
export interface AuthorizationPolicy {
  readonly action: AuthorizationAction;
  /** Whom a CUSTOM policy asks; "" for the others. */
  readonly provider: string;
  /** Evaluated and counted, never enforced. */
  readonly isDryRun: boolean;
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly AuthorizationRule[];
  readonly source: Provenance;
}

/** All three parts must hold; in `from` and `to` one of the entries. An empty part always holds. */
export interface AuthorizationRule {
  /** `file:line:column`. */
  readonly origin: string;
  readonly from: readonly SourceSpec[];
  readonly to: readonly OperationSpec[];
  readonly when: readonly ConditionSpec[];
}
