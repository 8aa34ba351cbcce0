import { messageOf } from "@weft/base/errors";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { ListenerPlan } from "../listener/listener-plan.ts";
import { type BootstrapPlan, throwIssues } from "./bootstrap.ts";
import { decodeSecret } from "./decode-tls.ts";
import { Issues } from "./issues.ts";
import type { Decoded, ResourceDecoder } from "./resource-decoder.ts";
import { sourcedKey } from "./sourced-name.ts";
import type { TlsContexts } from "./tls-contexts.ts";

export interface StaticResources {
  readonly clusters: readonly Decoded<ClusterPlan>[];
  readonly listeners: readonly Decoded<ListenerPlan>[];
}

/**
 * Compiles what the bootstrap itself defines. Throws a `UserError` that lists
 * every mistake with its file, line and column; then nothing has been started.
 */
export function compileStaticResources(
  bootstrap: BootstrapPlan,
  decoder: ResourceDecoder,
  tls: TlsContexts,
): StaticResources {
  const issues = new Issues();
  const resources = bootstrap.message.staticResources;
  const root = "static_resources";
  resources?.secrets.forEach((secret, i) => {
    const path = `${root}.secrets[${i}]`;
    if (secret.name === "") issues.add(`${path}.name`, "is empty", "name the secret");
    const material = decodeSecret(secret, path, issues);
    if (!material) return;
    try {
      tls.setSecret(sourcedKey({ source: "static", name: secret.name }), material);
    } catch (error) {
      issues.add(path, `TLS material is not usable: ${messageOf(error)}`);
    }
  });
  const clusters = (resources?.clusters ?? []).map((cluster, i) =>
    decoder.staticCluster(cluster, `${root}.clusters[${i}]`, issues, bootstrap.managementClusters),
  );
  reportEqualNames(resources?.clusters ?? [], `${root}.clusters`, issues);
  const listeners = (resources?.listeners ?? []).map((listener, i) => {
    const decoded = decoder.staticListener(
      listener,
      `${root}.listeners[${i}]`,
      issues,
      bootstrap.staticClusters,
    );
    // Envoy makes up a name too where there is none.
    return { ...decoded, plan: { ...decoded.plan, name: decoded.plan.name || `static-${i}` } };
  });
  reportEqualNames(resources?.listeners ?? [], `${root}.listeners`, issues);
  throwIssues(issues, (issue) => bootstrap.place(issue));
  return { clusters, listeners };
}

function reportEqualNames(items: readonly { readonly name: string }[], path: string, issues: Issues): void {
  const names = new Set<string>();
  items.forEach(({ name }, i) => {
    if (name !== "" && names.has(name)) {
      issues.add(`${path}[${i}].name`, `'${name}' is defined twice`, "names are unique");
    }
    names.add(name);
  });
}
