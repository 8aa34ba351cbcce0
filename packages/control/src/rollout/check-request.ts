import { ApiRefusal } from "../api/refusal.ts";
import type { RolloutMatch, StartRollout } from "../api/rollout-protocol.ts";
import { isHeaderName, regexProblem } from "../config/values.ts";

/** What a schema does not say about a request. @throws ApiRefusal that names what is wrong */
export function checkRequest(
  { steps, match, mirrorPercent, webhooks = [], queries = [], alerts = [] }: StartRollout,
  { hasPrometheus }: { readonly hasPrometheus: boolean },
): void {
  if (steps.some((step, i) => i > 0 && step <= steps[i - 1]!)) {
    throw refusal("steps: each is more than the one before");
  }
  if (steps.length === 0 && !match && mirrorPercent === undefined) {
    throw refusal("steps: there are none, and neither match nor mirrorPercent");
  }
  for (const one of match ?? []) checkMatch(one);
  for (const { name, url } of [...webhooks, ...queries, ...alerts]) {
    if (url !== undefined && !(/^https?:\/\/[^/]/.test(url) && URL.canParse(url))) {
      throw refusal(`${name}: "${url.slice(0, 80)}" is no http or https URL`);
    }
  }
  const lost = hasPrometheus ? undefined : queries.find(({ url }) => url === undefined);
  if (lost) {
    throw new ApiRefusal(409, {
      error: `metric ${lost.name} names no Prometheus, and the control plane has none`,
      hint: "say where it is: metricsServer of a Canary, address of a MetricTemplate, or --prometheus-url",
    });
  }
}

function checkMatch({ headers = {}, queryParams = {}, sourceLabels = {} }: RolloutMatch): void {
  const matches = [...Object.entries(headers), ...Object.entries(queryParams)];
  if (matches.length + Object.keys(sourceLabels).length === 0) throw refusal("match: one asks for nothing");
  const wrong = Object.keys(headers).find((header) => !isHeaderName(header));
  if (wrong !== undefined) throw refusal(`match: "${wrong}" is not a header name`);
  for (const [name, { exact, prefix, regex }] of matches) {
    if ([exact, prefix, regex].filter((one) => one !== undefined).length !== 1) {
      throw refusal(`match: ${name} is matched by one of exact, prefix and regex`);
    }
    const problem = regex === undefined ? undefined : regexProblem(regex);
    if (problem !== undefined) throw refusal(`match: ${name}: "${regex}" ${problem}`);
  }
}

function refusal(error: string): ApiRefusal {
  return new ApiRefusal(400, { error });
}
