import type { LabelSelectorSpec } from "../../config/gateway-api-specs.ts";
import type { ResourceOf } from "../../config/resource.ts";
import { hasLabels } from "../host.ts";

/** The label by which Kubernetes itself tells a namespace's name: every namespace has it, written or not. */
const nameLabel = "kubernetes.io/metadata.name";

type Labels = Readonly<Record<string, string>>;

/** The labels of namespaces: what their Namespace documents say, and their names. */
export class NamespaceLabels {
  readonly #written: ReadonlyMap<string, Labels>;

  constructor(namespaces: readonly ResourceOf<"Namespace">[]) {
    this.#written = new Map(namespaces.map(({ name, labels }) => [name, labels]));
  }

  /** Whether a selector is for a namespace: an empty one for all, one that is missing for none. */
  selects(selector: LabelSelectorSpec | undefined, namespace: string): boolean {
    if (!selector) return false;
    const labels: Labels = { ...this.#written.get(namespace), [nameLabel]: namespace };
    const { matchLabels = {}, matchExpressions = [] } = selector;
    return (
      hasLabels(labels, matchLabels) && matchExpressions.every((expression) => matches(labels, expression))
    );
  }
}

type Expression = NonNullable<LabelSelectorSpec["matchExpressions"]>[number];

/** As Kubernetes: what is not there is also not one of the values. */
function matches(labels: Labels, { key, operator, values = [] }: Expression): boolean {
  const has = Object.hasOwn(labels, key);
  switch (operator) {
    case "Exists":
      return has;
    case "DoesNotExist":
      return !has;
    case "In":
      return has && values.includes(labels[key]!);
    default:
      return !has || !values.includes(labels[key]!);
  }
}
