import type { PolicyTargetSpec } from "../config/security-specs.ts";
import { hasLabels } from "./host.ts";
import { SelectorIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";

/** By which the proxies of a Gateway are known, as in the Gateway API and Istio. */
export const gatewayLabel = "gateway.networking.k8s.io/gateway-name";

interface Policy {
  readonly namespace: string;
  readonly spec: PolicyTargetSpec;
}

interface Selectable {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Whether it selects by more than its namespace. */
export function isSelective({ selector, targetRef, targetRefs }: PolicyTargetSpec): boolean {
  return (
    targetRef !== undefined || targetRefs !== undefined || Object.keys(selector?.matchLabels ?? {}).length > 0
  );
}

/**
 * Whether a policy is for a workload: of its namespace, or of the root
 * namespace, whose policies hold everywhere; with the labels that are named, or
 * a proxy of a Gateway that is referred to.
 */
export function isForWorkload(
  { namespace, spec }: Policy,
  workload: Selectable,
  { rootNamespace }: Pick<MeshOptions, "rootNamespace">,
): boolean {
  const references = referencesOf({ namespace, spec });
  if (references) {
    const gateway = workload.labels[gatewayLabel];
    return namespace === workload.namespace && references.some(({ name }) => name === gateway);
  }
  const isInScope = namespace === workload.namespace || namespace === rootNamespace;
  return isInScope && hasLabels(workload.labels, spec.selector?.matchLabels);
}

/** Policies by whom they are for, in their order. */
export class PolicyIndex<T extends Policy> {
  /** By labels, of a namespace or of the root namespace. */
  readonly #selecting: SelectorIndex<Placed<T>>;
  /** By the Gateways of their namespace. */
  readonly #referring: SelectorIndex<Placed<T>>;
  readonly #root: string;

  constructor(policies: readonly T[], { rootNamespace }: Pick<MeshOptions, "rootNamespace">) {
    const placed = policies.map((policy, place) => ({ policy, place, references: referencesOf(policy) }));
    this.#selecting = new SelectorIndex(placed, ({ policy: { namespace, spec }, references }) =>
      references ? [] : [{ namespace, labels: spec.selector?.matchLabels }],
    );
    this.#referring = new SelectorIndex(placed, ({ policy: { namespace }, references = [] }) =>
      references.map(({ name }) => ({ namespace, labels: { [gatewayLabel]: name } })),
    );
    this.#root = rootNamespace;
  }

  of({ namespace, labels }: Selectable): readonly T[] {
    const selecting = this.#selecting.choosing(labels, namespace, this.#root);
    const referring = this.#referring.choosing(labels, namespace);
    const found = referring.length === 0 ? selecting : [...selecting, ...referring].sort(byPlace);
    return found.map(({ policy }) => policy);
  }
}

interface Placed<T> {
  readonly policy: T;
  readonly place: number;
}

function byPlace(a: Placed<unknown>, b: Placed<unknown>): number {
  return a.place - b.place;
}

function referencesOf({ spec: { targetRef, targetRefs } }: Policy) {
  return targetRefs ?? (targetRef ? [targetRef] : undefined);
}
