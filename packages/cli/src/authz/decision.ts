import type { Explainer } from "../explain/explainer.ts";
import type { DestinationOutcome, Explanation, Problem, Step } from "../explain/explanation.ts";
import type { Question } from "../explain/question.ts";

/**
 * What policies say to a call. `partly`: not all of its destinations, or of
 * several calls, say the same. `asked`: a service outside the proxy decides.
 * `unreachable`: it does not get to where policies are asked.
 */
export type Verdict = "allowed" | "denied" | "partly" | "asked" | "unreachable";

export interface Decision {
  readonly caller: Explanation["caller"];
  readonly request: Explanation["request"];
  readonly verdict: Verdict;
  readonly destinations: readonly DestinationDecision[];
  /** Every policy that was asked, with what became of it. */
  readonly policies: readonly Step[];
}

export interface DestinationDecision {
  readonly service: string;
  readonly subset: string;
  readonly workloads: readonly string[];
  readonly verdict: Verdict;
  readonly why: string;
  /** The rule that decided, where one did: `AuthorizationPolicy default/x, rule 0`. */
  readonly policy?: string;
  /** `file:line:column` of it. */
  readonly origin?: string;
}

/** What the proxies of a call's destinations say to it: their own policies, by their own engine. Nothing is sent. */
export async function decide(explainer: Explainer, question: Question): Promise<Decision> {
  const { caller, request, steps, outcome } = await explainer.explain(question);
  const policies = steps.filter(({ step }) => step === "authorization");
  const destinations = outcome.destinations.map((one) => destinationDecision(one, policies));
  const verdict =
    destinations.length > 0 ? together(destinations.map((one) => one.verdict)) : onTheWay(outcome);
  return {
    caller,
    request,
    verdict,
    destinations:
      destinations.length > 0
        ? destinations
        : [{ service: "", subset: "", workloads: [], verdict, why: outcome.summary }],
    policies,
  };
}

/** What several verdicts come to; what cannot be reached says nothing of the others. */
export function together(verdicts: readonly Verdict[]): Verdict {
  const said = new Set(verdicts.filter((verdict) => verdict !== "unreachable"));
  if (said.size === 0) return "unreachable";
  return said.size === 1 ? [...said][0]! : "partly";
}

function onTheWay({ result }: Explanation["outcome"]): Verdict {
  if (result === "denied") return "denied";
  return result === "undecided" ? "asked" : "unreachable";
}

function destinationDecision(
  destination: DestinationOutcome,
  policies: readonly Step[],
): DestinationDecision {
  const { service, subset, workloads, problem } = destination;
  const base = { service, subset, workloads };
  const own = policies.filter(({ at }) => workloads.includes(at));
  const asked = own.find(({ chosen }) => chosen === "asked");
  if (problem) {
    const { policy } = problem;
    return {
      ...base,
      verdict: isDenial(problem) ? "denied" : "unreachable",
      why: problem.why,
      ...(policy && { policy: policy.name, ...(policy.origin && { origin: policy.origin }) }),
    };
  }
  if (asked) return { ...base, verdict: "asked", why: asked.detail ?? "" };
  const by = own.find(({ chosen, detail }) => chosen === "allowed" && detail?.startsWith("by "));
  return {
    ...base,
    verdict: "allowed",
    why: by?.detail ?? withoutPolicy(destination, own),
    ...(by && { policy: by.detail!.slice("by ".length), ...(by.origin && { origin: by.origin }) }),
  };
}

function withoutPolicy({ workloads }: DestinationOutcome, own: readonly Step[]): string {
  if (workloads.length === 0) return "no proxy of the mesh stands before it";
  return own.length > 0 ? "no policy denies it" : "no policy is for it";
}

function isDenial({ details }: Problem): boolean {
  return /^(rbac|jwt_authn)_access_denied/.test(details);
}
