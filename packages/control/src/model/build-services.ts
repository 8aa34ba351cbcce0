import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ConfigResource, ResourceOf } from "../config/resource.ts";
import type { Workload } from "../registry/workload.ts";
import { EndpointSlices } from "./endpoint-slices.ts";
import { entryServices } from "./entry-service.ts";
import { externalNames } from "./external-names.ts";
import { BackendTlsPolicies } from "./gateway-api/backend-tls.ts";
import { GivenAddresses } from "./given-addresses.ts";
import { hostnameOf } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MtlsResolution } from "./mtls-resolution.ts";
import { type MeshSettings, meshOptions } from "./options.ts";
import { provenanceOf } from "./provenance.ts";
import { mergedService, registeredService } from "./registered-service.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { ServingWorkloads } from "./serving-workloads.ts";
import { type ResourcesByKind, resourcesOf } from "./sorting.ts";
import { contend, type Visible, visibilityIn } from "./visibility.ts";
import { WorkloadEntries } from "./workload-entries.ts";
import { writtenService } from "./written-service.ts";

interface Input {
  readonly resources: Pick<
    ResourcesByKind,
    | "Service"
    | "EndpointSlice"
    | "Endpoints"
    | "ServiceEntry"
    | "WorkloadEntry"
    | "BackendTLSPolicy"
    | "ConfigMap"
  >;
  readonly workloads: ServingWorkloads;
  readonly vips: ReadonlyMap<string, string>;
  readonly mtls: MtlsResolution;
  readonly options: MeshOptions;
}

/**
 * Every service: from `Service` YAML, from registrations, merged by hostname, and
 * from ServiceEntry. The very same drafts where they are made from the same.
 */
export function buildServices(input: Input, diagnostics: Diagnostics): Map<string, ServiceDraft> {
  const { resources, workloads, vips, options } = input;
  const drafts = new Map<string, ServiceDraft>();
  const entries = new WorkloadEntries(resources.WorkloadEntry, input);
  const slices = new EndpointSlices(resources);
  slices.reportUnknown(diagnostics);
  const places = { entries, slices, given: new GivenAddresses() };
  for (const resource of resources.Service) {
    const draft = writtenService(resource, input, places, diagnostics);
    drafts.set(draft.service.hostname, draft);
  }
  for (const [hostname, group] of workloads.byService) {
    const yaml = drafts.get(hostname);
    if (yaml?.service.isExternal) {
      const message = `${hostname} is an external name: ${group.length} workloads that register for it get no calls by it`;
      diagnostics.warning(
        "W2133",
        undefined,
        message,
        "give the Service a selector in place of externalName",
      );
      continue;
    }
    const { made, said } = registeredService(hostname, group, vips.get(hostname));
    diagnostics.add(said);
    drafts.set(hostname, mergedService(yaml, made));
  }
  addEntries(drafts, input, entries, diagnostics);
  entries.reportUnused(diagnostics);
  const named = externalNames(drafts, resources.Service, options, diagnostics);
  for (const [hostname, draft] of named) drafts.set(hostname, draft);
  return withPolicies(drafts, backendTlsPolicies(resources));
}

/** Who has a host, and where that is written. */
interface Owner extends Visible {
  readonly origin: () => string | undefined;
}

function addEntries(
  drafts: Map<string, ServiceDraft>,
  input: Input,
  entries: WorkloadEntries,
  diagnostics: Diagnostics,
): void {
  const owners = new Map<string, Owner[]>();
  for (const entry of input.resources.ServiceEntry) {
    const { namespace, spec } = entry;
    const own: Owner = {
      namespace,
      ...visibilityIn(spec.exportTo, namespace),
      origin: () => provenanceOf(entry).origin,
    };
    const hosts: { readonly hostname: string; readonly isFirst: boolean }[] = [];
    spec.hosts.forEach((host, i) => {
      const hostname = host.toLowerCase();
      let others = owners.get(hostname);
      if (!others) {
        const first = drafts.get(hostname)?.service;
        others = first ? [{ ...first, origin: () => first.source?.origin }] : [];
        owners.set(hostname, others);
      }
      const other = others.find((one) => contend(one, own));
      if (other) {
        const message = `host ${hostname} is already a service (${other.origin() ?? "registration"}): this ServiceEntry adds nothing to it`;
        diagnostics.error("W2108", entry.origins.at(`spec.hosts[${i}]`), message, "name it in one place");
        return;
      }
      hosts.push({ hostname, isFirst: others.length === 0 });
      others.push(own);
    });
    const hostnames = hosts.map(({ hostname }) => hostname);
    entryServices(entry, hostnames, input, entries, diagnostics).forEach((draft, i) => {
      const { hostname, isFirst } = hosts[i]!;
      drafts.set(isFirst ? hostname : furtherKey(hostname, entry), draft);
    });
  }
}

const tlsPolicies = new KeptFor<readonly ResourceOf<"BackendTLSPolicy">[], BackendTlsPolicies>();

function backendTlsPolicies(resources: Input["resources"]): BackendTlsPolicies {
  return tlsPolicies.get(
    resources.BackendTLSPolicy,
    [resources.ConfigMap],
    () => new BackendTlsPolicies(resources),
  );
}

const withTls = new KeptFor<ServiceDraft, ServiceDraft>();

function withPolicies(
  drafts: Map<string, ServiceDraft>,
  policies: BackendTlsPolicies,
): Map<string, ServiceDraft> {
  for (const [key, draft] of drafts) {
    const backendTls = policies.of(draft);
    if (backendTls.length === 0) continue;
    const from = backendTls.flatMap(({ port, tls }) => [port, tls]);
    const add = () => ({ ...draft, service: { ...draft.service, backendTls } });
    drafts.set(key, withTls.get(draft, from, add));
  }
  return drafts;
}

/** The key of a service that only some see, where its hostname is that of another. */
export function furtherKey(hostname: string, entry: Pick<ConfigResource, "namespace" | "name">): string {
  return `${hostname} ${entry.namespace}/${entry.name}`;
}

const needing = new KeptFor<readonly ConfigResource[], readonly string[]>();

/** Hosts that callers reach by a virtual address: services that are not headless, and external names. */
export function hostnamesNeedingAddress(
  resources: readonly ConfigResource[],
  workloads: readonly Workload[],
  settings: MeshSettings,
): readonly string[] {
  const options = meshOptions(settings);
  const byKind = resourcesOf(resources);
  return needing.get(byKind.Service, [byKind.ServiceEntry, workloads, options], () =>
    namesNeedingAddress(byKind, workloads, options),
  );
}

function namesNeedingAddress(
  byKind: ResourcesByKind,
  workloads: readonly Workload[],
  options: MeshOptions,
): string[] {
  const headless = new Set<string>();
  const registered = workloads.filter(({ service }) => service !== "");
  const names = new Set(registered.map((one) => hostnameOf(one.service, one.namespace, options)));
  for (const resource of byKind.Service) {
    const hostname = hostnameOf(resource.name, resource.namespace, options);
    if (resource.spec.clusterIP === "None") headless.add(hostname);
    else names.add(hostname);
  }
  for (const { spec } of byKind.ServiceEntry) {
    if (spec.addresses?.length || (spec.resolution ?? "NONE") === "NONE") continue;
    for (const host of spec.hosts) if (!host.startsWith("*")) names.add(host.toLowerCase());
  }
  return [...names].filter((name) => !headless.has(name)).sort();
}
