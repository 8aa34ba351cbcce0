import type { ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { byAge } from "./gateway-api/by-age.ts";
import { hasLabels } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { ProxySettings } from "./proxy-settings.ts";

type ProxyConfig = ResourceOf<"ProxyConfig">;

const nothing: ProxySettings = { concurrency: undefined, environment: {} };

/**
 * The ProxyConfigs of a mesh. As in Istio, what is written for a workload's
 * labels goes before what is written for its namespace, that before the root
 * namespace's, and that before the MeshConfig, field by field and variable by
 * variable; of several of one kind the oldest counts, then the first by name.
 */
export class ProxyConfigs {
  readonly #byNamespace: ReadonlyMap<string, readonly ProxyConfig[]>;
  readonly #root: string;
  readonly #usual: ProxySettings;
  readonly #made = new Map<string, ProxySettings>();

  constructor(
    configs: readonly ProxyConfig[],
    { rootNamespace, defaults }: Pick<MeshOptions, "rootNamespace" | "defaults">,
  ) {
    this.#byNamespace = Map.groupBy(configs.toSorted(byAge), ({ namespace }) => namespace);
    this.#root = rootNamespace;
    this.#usual = defaults.proxy ?? nothing;
  }

  /** Undefined where nothing is said; the very same object for workloads alike. */
  of({ namespace, labels }: Pick<Workload, "namespace" | "labels">): ProxySettings | undefined {
    const own = this.#byNamespace.get(namespace) ?? [];
    const root = namespace === this.#root ? [] : (this.#byNamespace.get(this.#root) ?? []);
    const forAll = (config: ProxyConfig) => labelsOf(config) === undefined;
    const layers = [
      root.find(forAll),
      own.find(forAll),
      own.find((config) => !forAll(config) && hasLabels(labels, labelsOf(config))),
    ];
    const key = layers.map((layer) => (layer ? `${layer.namespace}/${layer.name}` : "")).join(" ");
    let made = this.#made.get(key);
    if (!made) {
      made = layers.reduce(overlaid, this.#usual);
      this.#made.set(key, made);
    }
    return made.concurrency === undefined && Object.keys(made.environment).length === 0 ? undefined : made;
  }
}

function labelsOf({ spec }: ProxyConfig) {
  const labels = spec.selector?.matchLabels ?? {};
  return Object.keys(labels).length > 0 ? labels : undefined;
}

function overlaid(below: ProxySettings, config: ProxyConfig | undefined): ProxySettings {
  if (!config) return below;
  const { concurrency, environmentVariables = {} } = config.spec;
  return {
    concurrency: concurrency ?? below.concurrency,
    environment: { ...below.environment, ...environmentVariables },
  };
}
