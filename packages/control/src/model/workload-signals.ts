import { type Diagnostics, type Told, told } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import { mergeSignals, providerNamed } from "./merge-signals.ts";
import type { MeshWorkload } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { isSelective, PolicyIndex } from "./policy-target.ts";
import { isAccessLog, isTracer, type Signals, type TelemetryProvider } from "./signals.ts";

type Telemetry = ResourceOf<"Telemetry">;

const checked = new KeptFor<Telemetry, Told<void>>();
/** By the last of those that are merged, of which there is one list in a mesh. */
const merged = new KeptFor<Telemetry, Signals>();

/**
 * Which Telemetries hold for which workload: the one of the root namespace, of
 * its own, and the first of its own that selects it. The same ones are merged once.
 */
export class WorkloadSignals {
  readonly #options: MeshOptions;
  readonly #wide = new Map<string, Telemetry>();
  readonly #selective: PolicyIndex<Telemetry>;

  constructor(resources: readonly Telemetry[], options: MeshOptions, diagnostics: Diagnostics) {
    this.#options = options;
    const byAge = [...resources].sort(
      (a, b) => (a.createdAtMs ?? Number.MAX_VALUE) - (b.createdAtMs ?? Number.MAX_VALUE),
    );
    const selective = byAge.filter(({ spec }) => isSelective(spec));
    this.#selective = new PolicyIndex(selective, options);
    for (const resource of byAge) {
      const check = () => told((own) => checkProviders(resource, options, own));
      diagnostics.add(checked.get(resource, [options], check).said);
      if (isSelective(resource.spec)) continue;
      const { namespace, name, origins } = resource;
      const first = this.#wide.get(namespace);
      if (first) {
        const scope = namespace === options.rootNamespace ? "the mesh" : `namespace ${namespace}`;
        const message = `two Telemetries are for all of ${scope}: "${first.name}" applies, "${name}" does not`;
        diagnostics.error("W2106", origins.at("metadata.name"), message, "remove one, or add a selector");
      } else this.#wide.set(namespace, resource);
    }
  }

  /** Undefined where no Telemetry says anything: what holds is the mesh's own. */
  of(workload: Pick<MeshWorkload, "namespace" | "labels">): Signals | undefined {
    const { rootNamespace, defaults } = this.#options;
    const { namespace } = workload;
    const own = this.#selective.of(workload).find((resource) => resource.namespace === namespace);
    const levels = [
      this.#wide.get(rootNamespace),
      namespace === rootNamespace ? undefined : this.#wide.get(namespace),
      own,
    ].filter((level) => level !== undefined);
    const last = levels.at(-1);
    if (!last) return undefined;
    const merge = () =>
      mergeSignals(
        levels.map(({ spec }) => spec),
        defaults,
      );
    return merged.get(last, [defaults, ...levels], merge);
  }
}

/** What is sent to a provider that is not there, or takes no such thing, is sent nowhere. */
function checkProviders(resource: Telemetry, options: MeshOptions, diagnostics: Diagnostics): void {
  const { tracing = [], metrics = [], accessLogging = [] } = resource.spec;
  const parts = [
    ["tracing", "spans", tracing, isTracer],
    ["metrics", "metrics", metrics, ({ kind }: TelemetryProvider) => kind === "prometheus"],
    ["accessLogging", "access logs", accessLogging, isAccessLog],
  ] as const;
  const { telemetryProviders, defaultProviders } = options.defaults;
  const names = [...new Set(["prometheus", "envoy", ...Object.keys(telemetryProviders)])];
  for (const [field, what, rules, takes] of parts) {
    rules.forEach(({ providers = [] }, i) => {
      providers.forEach(({ name }, j) => {
        const provider = providerNamed(name, options.defaults);
        if (provider && takes(provider)) return;
        const at = resource.origins.at(`spec.${field}[${i}].providers[${j}].name`);
        const known = names.filter((one) => takes(providerNamed(one, options.defaults)!));
        const hint =
          didYouMean(name, known) ??
          (known.length > 0
            ? `there is ${known.join(", ")}`
            : "name one in MeshConfig's extensionProviders (--mesh-config)");
        const message = provider ? `provider ${name} takes no ${what}` : `there is no provider ${name}`;
        diagnostics.error("W2117", at, `${message}: none are sent`, hint);
      });
    });
  }
  const asks = tracing.some(({ disableSpanReporting }) => disableSpanReporting !== true);
  if (asks && !tracing.some(({ providers }) => providers?.length) && defaultProviders.tracing.length === 0) {
    const hint = "name it here, or in MeshConfig's defaultProviders.tracing";
    diagnostics.warning(
      "W2118",
      resource.origins.at("spec.tracing"),
      "no provider takes the spans: nothing is traced by this",
      hint,
    );
  }
}
