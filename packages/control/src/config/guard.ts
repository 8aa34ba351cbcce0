import type { Diagnostics } from "@weft/base/diagnostics";
import { isDryRun } from "./check-authorization-policy.ts";
import type { MeshKind } from "./kinds.ts";
import type { Origins } from "./origins.ts";
import type { ConfigResource } from "./resource.ts";
import { isResourceName } from "./values.ts";

/** What is read of a document that is refused. */
interface Refused {
  readonly kind: MeshKind;
  readonly apiVersion: string;
  readonly value: unknown;
  readonly origins: Origins;
}

/**
 * What stands in for a security policy that is refused and of which no good
 * version is known, so that nobody gets in who would not have: of an ALLOW policy
 * one that allows nothing, of any other one that denies everything, of mutual
 * TLS the strictest; for the workloads that it selects, or for all of its
 * namespace where that cannot be read. Undefined of what keeps nobody out.
 */
export function guardFor(refused: Refused, defaultNamespace: string): ConfigResource | undefined {
  const { kind, apiVersion, value, origins } = refused;
  const { metadata, spec } = value as { metadata?: unknown; spec?: unknown };
  const { name, namespace = defaultNamespace, annotations } = recordOf(metadata);
  if (kind === "AuthorizationPolicy" && isDryRun(recordOf(annotations) as Record<string, string>))
    return undefined;
  if (typeof name !== "string" || !isResourceName(name)) return undefined;
  if (typeof namespace !== "string" || !isResourceName(namespace)) return undefined;
  const strict = strictest(kind, recordOf(spec));
  if (!strict) return undefined;
  return {
    kind,
    apiVersion,
    name,
    namespace,
    labels: {},
    annotations: {},
    createdAtMs: undefined,
    spec: { ...selectorOf(recordOf(spec)), ...strict },
    origins,
  } as ConfigResource;
}

/** Says what stands in for it. */
export function reportGuard({ kind, namespace, name, spec, origins }: ConfigResource, to: Diagnostics): void {
  const whom = "selector" in spec ? "the workloads that it selects" : `all of namespace ${namespace}`;
  const isMtls = kind === "PeerAuthentication";
  const what = isMtls
    ? "take nothing but mutual TLS"
    : "action" in spec && spec.action === "ALLOW"
      ? "let in nobody on account of it"
      : "let in nobody";
  const message = `${kind} ${namespace}/${name} cannot be read: until it is corrected, ${whom} ${what}`;
  to.warning("W1014", origins.at("metadata.name"), message, "correct it, or delete it");
}

function strictest(kind: MeshKind, { action = "ALLOW" }: Record<string, unknown>): object | undefined {
  if (kind === "PeerAuthentication") return { mtls: { mode: "STRICT" } };
  if (kind !== "AuthorizationPolicy" || action === "AUDIT") return undefined;
  return action === "ALLOW" ? { action: "ALLOW", rules: [] } : { action: "DENY", rules: [{}] };
}

function selectorOf({ selector }: Record<string, unknown>): object {
  const { matchLabels } = recordOf(selector);
  const labels = Object.entries(recordOf(matchLabels));
  const isReadable = labels.length > 0 && labels.every(([, value]) => typeof value === "string");
  return isReadable ? { selector: { matchLabels } } : {};
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
