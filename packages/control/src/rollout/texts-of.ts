import { resolveHost } from "../model/host.ts";
import { httpRouteForm } from "./http-route-form.ts";
import { type Rollout, type RolloutPlan, stagesOf } from "./rollout.ts";
import { RouteEditor } from "./route-editor.ts";
import type { Texts } from "./transitions.ts";
import { virtualServiceForm } from "./virtual-service-form.ts";

/** The texts of routes that rollouts make. */
export function textsOf(options: { readonly domainSuffix: string }): Texts {
  return {
    stage({ before, plan }: Rollout, stage) {
      const { kind, percent } = stagesOf(plan)[stage]!;
      return editorOf(before, plan, options).edit({
        percent: kind === "weight" ? percent : 0,
        mirror: kind === "mirror" ? percent : undefined,
        match: kind === "mirror" ? undefined : plan.match,
      });
    },
    promoted: ({ before, plan }) => editorOf(before, plan, options).promoted(),
  };
}

export function editorOf(
  text: string,
  { route, hostname, stable, canary }: Pick<RolloutPlan, "route" | "hostname" | "stable" | "canary">,
  options: { readonly domainSuffix: string },
): RouteEditor {
  if (route.kind === "HTTPRoute") {
    return new RouteEditor(text, httpRouteForm(stable.backend ?? "", canary.backend ?? ""));
  }
  const form = virtualServiceForm(({ host, subset }) => {
    if (resolveHost(host, route.namespace, options) !== hostname) return "other";
    return subset === stable.subset ? "stable" : subset === canary.subset ? "canary" : "other";
  }, canary.subset ?? "");
  return new RouteEditor(text, form);
}
