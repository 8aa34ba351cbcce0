import type { CallTrace } from "@weft/proxy/explain/call-trace";
import type { Lost, Step } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";
import { policyPlace } from "./places.ts";

const titles = {
  allow: "ALLOW policies",
  deny: "DENY policies",
  log: "AUDIT policies",
  matcher: "matchers' actions",
} as const;

/** One step for each set of policies that a proxy asks, with what became of each policy. */
export async function policySteps(
  { policies, refusal, http }: CallTrace,
  at: string,
  reader: MeshReader,
): Promise<Step[]> {
  const steps: Step[] = [];
  const denial = http?.reply?.details ?? refusal;
  for (const set of policies) {
    const matched = set.judgements.find(({ permits, applies }) => permits && applies);
    const verdict = set.isAllowed ? "allowed" : "denied";
    const lost = await Promise.all(
      set.judgements
        .filter((one) => one !== matched)
        .map(async ({ policy, permits, applies }): Promise<Lost> => {
          const place = await policyPlace(reader, policy);
          const why = permits
            ? "it is not for this caller"
            : applies
              ? "it is not for this request"
              : "it is neither for this caller nor for this request";
          return { what: place.title, why, ...(place.origin && { origin: place.origin }) };
        }),
    );
    const place = matched && (await policyPlace(reader, matched.policy));
    steps.push({
      at,
      step: "authorization",
      chosen: verdict,
      detail: place ? `by ${place.title}` : `none of the ${titles[set.action]} is for it`,
      ...(place?.origin && { origin: place.origin }),
      ...(lost.length > 0 && { lost }),
    });
    if (verdict === "denied" && denial?.startsWith("rbac_access_denied")) return steps;
  }
  return steps;
}
