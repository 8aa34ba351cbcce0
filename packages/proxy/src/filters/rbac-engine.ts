import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { DynamicMetadata, MetadataValue } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { RbacMatcher, RbacPlan, RbacRules } from "./rbac-plan.ts";
import { compilePolicy, matchesPolicy, policyChoice } from "./rbac-policies.ts";

/** The filter, and where in the dynamic metadata its verdicts are noted. */
export const rbacHttpFilterName = "envoy.filters.http.rbac";

/** What a set of rules said: the policy that decided, or undefined when none matched. */
export interface RbacVerdict {
  readonly isAllowed: boolean;
  readonly policy: string | undefined;
  /** The configuration the deciding policy came from. */
  readonly origin: string | undefined;
  /** Whether the access log is asked to take note; undefined where nothing asks it. */
  readonly isLogged: boolean | undefined;
  /** Envoy's response code details for a denial by this verdict. */
  readonly details: string;
  /** What the verdict leaves in the dynamic metadata of an exchange; shared by all. */
  readonly notes: DynamicMetadata;
}

/** Compiled rules: one call per request, no allocation. */
export type RbacDecision = (connection: DownstreamConnection, exchange: Exchange | undefined) => RbacVerdict;

/** Why one policy did or did not match. */
export interface PolicyJudgement {
  readonly policy: string;
  readonly origin: string | undefined;
  /** Whether any of its permissions covers what is asked. */
  readonly permits: boolean;
  /** Whether any of its principals is the caller. */
  readonly applies: boolean;
}

export interface RbacEngine {
  /** `deny`, `allow` or `log` of policies, or a matcher; undefined enforces nothing. */
  readonly action: RbacRules["action"] | RbacMatcher["action"] | undefined;
  /** Every enforced policy, judged alone, in the order they are asked in. For explanations: it costs more than a verdict. */
  judge(connection: DownstreamConnection, exchange: Exchange | undefined): readonly PolicyJudgement[];
  readonly enforced: RbacDecision | undefined;
  readonly shadow: RbacDecision | undefined;
  readonly countsPolicies: boolean;
}

/** So many are asked one after the other without further thought. */
const fewPolicies = 8;

/** Compiles the Boolean structure of a plan into functions. */
export function compileRbac(plan: RbacPlan, filterName = rbacHttpFilterName): RbacEngine {
  const shadowKind = `${plan.shadowRulesStatPrefix}shadow`;
  const enforced = plan.rules && compileEither(plan.rules, { kind: "enforced", filterName });
  return {
    action: plan.rules?.action,
    judge: (connection, exchange) => enforced?.judge(connection, exchange) ?? [],
    enforced: enforced?.decide,
    shadow: plan.shadowRules && compileEither(plan.shadowRules, { kind: shadowKind, filterName }).decide,
    countsPolicies: plan.countsPolicies ?? false,
  };
}

/** How verdicts are noted, and under which filter's name. */
interface Noting {
  readonly kind: string;
  readonly filterName: string;
}

interface Compiled {
  readonly decide: RbacDecision;
  readonly judge: RbacEngine["judge"];
}

function compileEither(rules: RbacRules | RbacMatcher, noting: Noting): Compiled {
  return rules.action === "matcher" ? compileMatcher(rules, noting) : compileRules(rules, noting);
}

/** A matcher's verdicts are those of its actions; one that comes to none denies. */
function compileMatcher({ find, actions }: RbacMatcher, noting: Noting): Compiled {
  const logs = actions.some(({ action }) => action === "log");
  const verdicts = new Map(
    actions.map((one) => {
      const isLogged = logs ? one.action === "log" : undefined;
      return [one, verdict(noting, one.action !== "deny", one.name, undefined, isLogged)] as const;
    }),
  );
  const otherwise = verdict(noting, false, undefined, undefined, logs ? false : undefined);
  const decide: RbacDecision = (connection, exchange) => {
    const action = find(connection, exchange);
    return action ? verdicts.get(action)! : otherwise;
  };
  return {
    decide,
    judge(connection, exchange) {
      const { policy, origin } = decide(connection, exchange);
      return policy === undefined ? [] : [{ policy, origin, permits: true, applies: true }];
    },
  };
}

function compileRules(rules: RbacRules, noting: Noting): Compiled {
  const logs = rules.action === "log";
  const allowsOnMatch = rules.action !== "deny";
  const allowsOtherwise = rules.action !== "allow";
  const sorted = [...rules.policies].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const policies = sorted.map((policy) =>
    compilePolicy(policy, verdict(noting, allowsOnMatch, policy.name, policy.origin, logs || undefined)),
  );
  const otherwise = verdict(noting, allowsOtherwise, undefined, undefined, logs ? false : undefined);
  const find = policies.length > fewPolicies ? policyChoice(sorted, policies) : undefined;
  return {
    decide(connection, exchange) {
      if (find && exchange?.request)
        return find(connection, exchange, exchange.request)?.verdict ?? otherwise;
      for (const policy of policies) if (matchesPolicy(policy, connection, exchange)) return policy.verdict;
      return otherwise;
    },
    judge: (connection, exchange) =>
      policies.map(({ permits, applies, verdict }) => ({
        policy: verdict.policy!,
        origin: verdict.origin,
        permits: permits(connection, exchange),
        applies: applies(connection, exchange),
      })),
  };
}

function verdict(
  { kind, filterName }: Noting,
  isAllowed: boolean,
  policy: string | undefined,
  origin: string | undefined,
  isLogged: boolean | undefined,
): RbacVerdict {
  const name = (policy ?? "none").replace(/\s/g, "_");
  const metadata = new Map<string, MetadataValue>();
  if (policy !== undefined) metadata.set(`${kind}_effective_policy_id`, policy);
  metadata.set(`${kind}_engine_result`, isAllowed ? "allowed" : "denied");
  if (origin !== undefined) metadata.set(`${kind}_policy_origin`, origin);
  const notes = new Map([[filterName, metadata]]);
  return {
    isAllowed,
    policy,
    origin,
    notes,
    isLogged,
    details: `rbac_access_denied_matched_policy[${name}]`,
  };
}
