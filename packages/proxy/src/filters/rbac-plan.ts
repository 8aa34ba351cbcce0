import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import type { RequestHead } from "../layer/message.ts";
import type { CidrRange } from "../listener/listener-plan.ts";
import type { MatchTree } from "../matching/match-tree.ts";

/** A compiled `StringMatcher`. */
export type StringTest = (value: string) => boolean;
/** A compiled `HeaderMatcher`: pseudo-headers, presence and inversion already taken into account. */
export type RequestTest = (request: RequestHead) => boolean;

/**
 * Role-based access control as configured: matchers of strings and headers are
 * already functions, the Boolean structure is still data. `createRbacFilter`
 * compiles it.
 *
 * @see envoy.extensions.filters.http.rbac.v3.RBAC
 * @see envoy.extensions.filters.network.rbac.v3.RBAC
 */
export interface RbacPlan {
  /** Undefined enforces nothing. */
  readonly rules: RbacRules | RbacMatcher | undefined;
  /** Evaluated and counted, never enforced. */
  readonly shadowRules: RbacRules | RbacMatcher | undefined;
  /** Goes between `rbac.` and the statistic's name, with a dot; "" when unset. */
  readonly rulesStatPrefix: string;
  /** `track_per_rule_stats`: counts the verdicts of each policy too. */
  readonly countsPolicies?: boolean;
  /** Also prefixes the shadow keys in dynamic metadata (`istio_dry_run_allow_`). */
  readonly shadowRulesStatPrefix: string;
}

/** @see envoy.config.rbac.v3.RBAC */
export interface RbacRules {
  /** `log` never denies; a match sets `access_log_hint` in the dynamic metadata of `envoy.common`. */
  readonly action: "allow" | "deny" | "log";
  /** Evaluated in the order of their names, as in Envoy, whose policies are a sorted map. */
  readonly policies: readonly RbacPolicy[];
}

/** A matcher in place of policies: what it comes to decides, and coming to nothing denies. */
export interface RbacMatcher {
  readonly action: "matcher";
  readonly find: MatchTree<RbacMatcherAction>;
  /** Every action it can come to. */
  readonly actions: readonly RbacMatcherAction[];
}

/** @see envoy.config.rbac.v3.Action */
export interface RbacMatcherAction {
  readonly name: string;
  readonly action: RbacRules["action"];
}

export interface RbacPolicy {
  readonly name: string;
  /** A policy matches when any permission and any principal match. */
  readonly permissions: readonly RbacPermission[];
  readonly principals: readonly RbacPrincipal[];
  /** The configuration this policy came from, for explanations. */
  readonly origin: string | undefined;
}

/** A test of the value that `keys`, from the outside in, lead to in a filter's dynamic metadata. */
export interface MetadataTest {
  readonly filter: string;
  readonly keys: readonly string[];
  readonly matches: (value: MetadataValue | undefined) => boolean;
}

/** A test of the path without query and fragment. */
export interface PathCondition {
  readonly kind: "url-path";
  readonly matches: StringTest;
  /** What paths that match are or begin with, where that is all the test asks. */
  readonly literal?: PathLiteral;
}

export interface PathLiteral {
  readonly kind: "exact" | "prefix";
  readonly text: string;
}

/** @see envoy.config.rbac.v3.Permission */
export type RbacPermission =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly rules: readonly RbacPermission[] }
  | { readonly kind: "not"; readonly rule: RbacPermission }
  | { readonly kind: "header"; readonly matches: RequestTest }
  | PathCondition
  | { readonly kind: "destination-ip"; readonly range: CidrRange }
  | { readonly kind: "destination-port"; readonly port: number }
  /** `end` is exclusive, as in Int32Range. */
  | { readonly kind: "destination-port-range"; readonly start: number; readonly end: number }
  | { readonly kind: "requested-server-name"; readonly matches: StringTest }
  | ({ readonly kind: "metadata" } & MetadataTest);

/** @see envoy.config.rbac.v3.Principal */
export type RbacPrincipal =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly rules: readonly RbacPrincipal[] }
  | { readonly kind: "not"; readonly rule: RbacPrincipal }
  /** Any URI name, else any DNS name, else the subject of the verified peer; undefined takes any verified peer. */
  | { readonly kind: "authenticated"; readonly matches: StringTest | undefined }
  /** The address the connection comes from (`direct_remote_ip` and the deprecated `source_ip`). */
  | { readonly kind: "direct-remote-ip"; readonly range: CidrRange }
  /** The client's address, after `x-forwarded-for` where the listener trusts it. */
  | { readonly kind: "remote-ip"; readonly range: CidrRange }
  | { readonly kind: "header"; readonly matches: RequestTest }
  | PathCondition
  | ({ readonly kind: "metadata" } & MetadataTest);
