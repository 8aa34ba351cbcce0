import type { ResponseHead } from "../layer/message.ts";
import type { AttemptOutcome } from "./cluster.ts";
import type { ClusterPlan } from "./cluster-plan.ts";

const responses: AttemptOutcome[] = [];

/**
 * How an answer counts for its endpoint: by its status, unless the cluster says
 * itself which answers are errors. One that is counts as 500 where its status is
 * none of a server's errors, any other as a success, as in Envoy.
 *
 * @see envoy.extensions.upstreams.http.v3.HttpProtocolOptions.OutlierDetection
 */
export function answerOutcome({ isErrorAnswer }: ClusterPlan, head: ResponseHead): AttemptOutcome {
  const { status } = head;
  if (!isErrorAnswer) return outcomeOf(status);
  if (!isErrorAnswer(head)) return outcomeOf(200);
  return outcomeOf(status >= 500 ? status : 500);
}

function outcomeOf(status: number): AttemptOutcome {
  let outcome = responses[status];
  if (!outcome) {
    outcome = { kind: "response", status };
    responses[status] = outcome;
  }
  return outcome;
}
