import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { byAge } from "./gateway-api/by-age.ts";
import { SelectorIndex } from "./label-index.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { ProxySettings } from "./proxy-settings.ts";

type ProxyConfig = ResourceOf<"ProxyConfig">;

const nothing: ProxySettings = { concurrency: undefined, environment: {} };

/** By the narrowest of those that are laid over each other, of which there is one list in a mesh. */
const laid = new KeptFor<ProxyConfig, ProxySettings>();

/**
 * The ProxyConfigs of a mesh. As in Istio, what is written for a workload's
 * labels goes before what is written for its namespace, that before the root
 * namespace's, and that before the MeshConfig, field by field and variable by
 * variable; of several of one kind the oldest counts, then the first by name.
 */
export class ProxyConfigs {
  readonly #forAll = new Map<string, ProxyConfig>();
  readonly #selective: SelectorIndex<ProxyConfig>;
  readonly #root: string;
  readonly #usual: ProxySettings;

  constructor(
    configs: readonly ProxyConfig[],
    { rootNamespace, defaults }: Pick<MeshOptions, "rootNamespace" | "defaults">,
  ) {
    const ordered = configs.toSorted(byAge);
    for (const config of ordered) {
      if (labelsOf(config) || this.#forAll.has(config.namespace)) continue;
      this.#forAll.set(config.namespace, config);
    }
    this.#selective = new SelectorIndex(
      ordered.filter((config) => labelsOf(config)),
      (config) => [{ namespace: config.namespace, labels: labelsOf(config) }],
    );
    this.#root = rootNamespace;
    this.#usual = defaults.proxy ?? nothing;
  }

  /** Undefined where nothing is said; the very same object for workloads alike. */
  of({ namespace, labels }: Pick<Workload, "namespace" | "labels">): ProxySettings | undefined {
    const layers = [
      namespace === this.#root ? undefined : this.#forAll.get(this.#root),
      this.#forAll.get(namespace),
      this.#selective.choosing(labels, namespace)[0],
    ].filter((layer) => layer !== undefined);
    const last = layers.at(-1);
    const lay = () => layers.reduce(overlaid, this.#usual);
    const made = last ? laid.get(last, [this.#usual, ...layers], lay) : this.#usual;
    return made.concurrency === undefined && Object.keys(made.environment).length === 0 ? undefined : made;
  }
}

function labelsOf({ spec }: ProxyConfig) {
  const labels = spec.selector?.matchLabels ?? {};
  return Object.keys(labels).length > 0 ? labels : undefined;
}

function overlaid(below: ProxySettings, config: ProxyConfig): ProxySettings {
  const { concurrency, environmentVariables = {} } = config.spec;
  return {
    concurrency: concurrency ?? below.concurrency,
    environment: { ...below.environment, ...environmentVariables },
  };
}
