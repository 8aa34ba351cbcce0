import type { RouteAction_RequestMirrorPolicy as RequestMirrorPolicy } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { MirrorPlan } from "../route/mirror-plan.ts";
import { readHeader } from "../route/request-matcher.ts";
import { requireCluster, requireHeader } from "./decode-cluster-choice.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderMutations } from "./decode-header-mutations.ts";
import { decodeFraction } from "./decode-values.ts";
import { at } from "./issues.ts";

/** More copies of one request than this are a mistake. */
const maxMirrors = 16;

/** Decodes mirror policies; undefined when there are none. */
export function decodeMirrors(
  policies: readonly RequestMirrorPolicy[],
  path: string,
  context: DecodeContext,
): readonly MirrorPlan[] | undefined {
  if (policies.length === 0) return undefined;
  if (policies.length > maxMirrors) {
    context.issues.add(path, `has ${policies.length} entries`, `at most ${maxMirrors}`);
  }
  return policies.map((policy, i): MirrorPlan => {
    const place = `${path}[${i}]`;
    const { cluster, clusterHeader } = policy;
    if (cluster !== "" && clusterHeader !== "") {
      context.issues.add(at(place, "cluster_header"), "excludes `cluster`", "keep one of them");
    } else if (clusterHeader !== "") requireHeader(clusterHeader, at(place, "cluster_header"), context);
    else requireCluster(cluster, at(place, "cluster"), context);
    const name = clusterHeader.toLowerCase();
    return {
      clusterOf: name === "" ? () => cluster : (request) => readHeader(request, name) || undefined,
      fraction: decodeFraction(policy.runtimeFraction, context.runtime),
      marksHost: !policy.disableShadowHostSuffixAppend,
      authority: policy.hostRewriteLiteral || undefined,
      isTraceSampled: policy.traceSampled ?? true,
      mutate: decodeHeaderMutations(
        policy.requestHeadersMutations,
        at(place, "request_headers_mutations"),
        context,
      ),
    };
  });
}
