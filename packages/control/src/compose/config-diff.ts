import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import { typeUrl } from "@weft/xds/type-url";
import type { DiffResult, ProxyChange } from "../api/change-protocol.ts";
import { type XdsKind, xdsKinds } from "../api/protocol.ts";
import { proxyResource, typeOfKind } from "../inspect/proxy-config.ts";
import type { Mesh } from "../model/mesh.ts";
import { SnapshotBuilder } from "../snapshot/snapshot-builder.ts";
import { sidecarFeatures } from "../translate/client-features.ts";

/** Workloads that are looked at, and changes that are shown in full: a person reads this. */
const maxWorkloads = 500;
const maxChanges = 200;

/**
 * What another mesh would change for the sidecars of these workloads. Changes
 * that are the same for several are one, with all of them named.
 */
export function diffProxies(
  before: Mesh,
  after: Mesh,
  workloadIds: readonly string[],
): Pick<DiffResult, "proxies" | "unseen"> {
  const [old, fresh] = [new SnapshotBuilder(), new SnapshotBuilder()];
  const found = new Map<string, ProxyChange & { readonly workloads: string[] }>();
  let more = 0;
  for (const id of workloadIds.slice(0, maxWorkloads)) {
    const was = before.workloads.has(id) ? old.build(before, { id, features: sidecarFeatures }) : undefined;
    const is = after.workloads.has(id) ? fresh.build(after, { id, features: sidecarFeatures }) : undefined;
    for (const kind of xdsKinds) {
      for (const [name, a, b] of differences(resourcesOf(was, kind), resourcesOf(is, kind))) {
        const key = `${kind} ${name} ${a?.version} ${b?.version}`;
        const same = found.get(key);
        if (same) same.workloads.push(id);
        else if (found.size >= maxChanges) more += 1;
        else found.set(key, { ...changeOf(kind, name, a, b), workloads: [id] });
      }
    }
  }
  const unlooked = Math.max(0, workloadIds.length - maxWorkloads);
  return { proxies: [...found.values()], unseen: { workloads: unlooked, changes: more } };
}

function resourcesOf(snapshot: Snapshot | undefined, kind: XdsKind): ReadonlyMap<string, XdsResource> {
  return snapshot?.byType.get(typeUrl[typeOfKind[kind]]) ?? new Map();
}

function* differences(
  before: ReadonlyMap<string, XdsResource>,
  after: ReadonlyMap<string, XdsResource>,
): Iterable<readonly [name: string, before: XdsResource | undefined, after: XdsResource | undefined]> {
  for (const [name, a] of before) {
    const b = after.get(name);
    if (a.version !== b?.version) yield [name, a, b];
  }
  for (const [name, b] of after) if (!before.has(name)) yield [name, undefined, b];
}

function changeOf(
  kind: XdsKind,
  name: string,
  before: XdsResource | undefined,
  after: XdsResource | undefined,
): Omit<ProxyChange, "workloads"> {
  const action = !before ? "created" : !after ? "deleted" : "changed";
  return {
    kind,
    name,
    action,
    before: before && proxyResource(kind, before).value,
    after: after && proxyResource(kind, after).value,
  };
}
