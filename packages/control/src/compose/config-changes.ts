import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { formatOrigin } from "@weft/base/origin";
import type { ChangeBy } from "../api/backend.ts";
import { actorOf, type Caller, describeCaller } from "../api/caller.ts";
import type {
  ApplyRequest,
  ApplyResult,
  Confirmation,
  Confirmed,
  DeleteResult,
  DiffRequest,
  DiffResult,
  ResourceVersionRecord,
  RollbackRequest,
} from "../api/change-protocol.ts";
import type { ResourceKey } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import { resourceKey } from "../config/resource.ts";
import { shownText } from "../inspect/secret-text.ts";
import { type AuditLog, ownActor } from "../store/audit-log.ts";
import type { ChangeAuthor, ResourceStore, ResourceVersion } from "../store/resource-store.ts";
import { type ApplyPlan, keyOf, planApply } from "./apply-config.ts";
import { awaitSync, refusals } from "./await-sync.ts";
import { diffProxies } from "./config-diff.ts";
import { type ConfigEntry, type ConfigSet, readEntries } from "./config-set.ts";
import type { EventLog } from "./event-log.ts";
import type { MeshPipeline } from "./mesh-pipeline.ts";
import { planRollback, type RollbackPlan } from "./plan-rollback.ts";
import type { ProxySyncTable } from "./proxy-sync.ts";
import { joinDocuments, type ResourceText } from "./split-documents.ts";

export interface ConfigChangesOptions {
  readonly clock: Clock;
  readonly store: ResourceStore;
  readonly audit: Pick<AuditLog, "append">;
  readonly config: ConfigSet;
  readonly pipeline: MeshPipeline;
  readonly sync: ProxySyncTable;
  readonly events: EventLog;
  /** Configuration changed: push it. */
  readonly onChange: () => void;
}

/** Made by the control plane itself, for a reason that it is named after. */
interface OwnChange {
  readonly author: string;
}

/**
 * Changes what is configured: applies, deletes and goes back, each as one
 * revision that is checked as a whole before it is in force.
 *
 * A change that is to be confirmed is undone when a proxy refuses it or the
 * time is over, whether or not somebody still waits for the answer; by the next
 * start of the control plane, when this one ends in between.
 */
export class ConfigChanges {
  readonly #parts: ConfigChangesOptions;

  constructor(options: ConfigChangesOptions) {
    this.#parts = options;
  }

  apply(request: ApplyRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult> {
    const { store } = this.#parts;
    const plan = this.#planned(request, by.ifRevision);
    const { resources, diagnostics, entries } = plan;
    const dryRun = request.dryRun ?? false;
    if (dryRun || entries.length === 0) return { revision: store.revision, dryRun, resources, diagnostics };
    const make = () => this.#commit("apply", { ...plan, removed: [] }, by.caller);
    return this.#answer({ resources, diagnostics }, make, request.confirm);
  }

  /**
   * Applies what the control plane itself has made of what was applied before.
   * Whether proxies take it is for the caller to see to.
   *
   * @throws ApiRefusal as an apply
   */
  amend(request: Pick<ApplyRequest, "files">, ifRevision: number, author: string): number {
    const plan = this.#planned(request, ifRevision);
    if (plan.entries.length === 0) return this.#parts.store.revision;
    return this.#commit(author, { ...plan, removed: [] }, { author });
  }

  rollback(request: RollbackRequest, by: ChangeBy): ApplyResult | Promise<ApplyResult> {
    const { store, config } = this.#parts;
    const { revision, resource, dryRun = false } = request;
    if (revision > store.revision) {
      throw new ApiRefusal(404, {
        error: `there is no revision ${revision} yet; the newest is ${store.revision}`,
      });
    }
    const only = resource && resourceKey(resource);
    const changes = store
      .changedSince(revision)
      .filter(({ key }) => only === undefined || resourceKey(key) === only);
    const plan = planRollback(changes, config, this.#check);
    const { resources, diagnostics } = plan;
    this.#refuseOverwrite(
      changes.map(({ key }) => key),
      by.ifRevision,
    );
    if (dryRun || changes.length === 0) return { revision: store.revision, dryRun, resources, diagnostics };
    const make = () => this.#commit(`rollback to ${revision}`, plan, by.caller);
    return this.#answer({ resources, diagnostics }, make, request.confirm);
  }

  /** What an apply would change; refused as that would be. */
  diff(request: DiffRequest): DiffResult {
    const { clock, config, store, pipeline, sync } = this.#parts;
    const { entries, resources, diagnostics } = planApply(request, config, this.#check, clock.now());
    const after = new Map([...config.entries, ...entries.map((entry) => [entry.key, entry] as const)]);
    const { mesh } = pipeline.preview(config.resourcesAfter({ entries, removed: [] }));
    const sidecars = [...sync.proxies].filter(({ info }) => info.role === "sidecar");
    const workloads = [...new Set(sidecars.map(({ info }) => info.workloadId))].sort();
    return {
      revision: store.revision,
      resources: resources.map(({ action, ...key }) => ({
        ...key,
        action,
        before: shownOf(config.entries.get(resourceKey(key))),
        after: shownOf(after.get(resourceKey(key))),
      })),
      ...diffProxies(pipeline.current.mesh, mesh, workloads),
      diagnostics,
    };
  }

  delete(key: ResourceKey, by: ChangeBy): DeleteResult {
    const { config, store, events, onChange } = this.#parts;
    const text = store.versionOf(key)?.text;
    const entry = config.entries.get(resourceKey(key));
    if (!entry && text === undefined) throw noSuchResource(key);
    if (entry?.source === "directory") {
      throw new ApiRefusal(409, {
        error: `${nameOf(key)} comes from the control plane's own directory`,
        hint: `delete it in ${entry.text.file}`,
      });
    }
    this.#refuseOverwrite([key], by.ifRevision);
    const revision = store.remove(key, this.#author(`delete: ${nameOf(key)}`, by.caller));
    config.remove(resourceKey(key), text);
    events.add("delete", `revision ${revision}: ${nameOf(key)}`);
    onChange();
    return { revision, resource: key };
  }

  /** All versions of a resource, newest first. */
  versions(key: ResourceKey): readonly ResourceVersionRecord[] {
    const versions = this.#parts.store.versions(key);
    if (versions.length === 0) throw noSuchResource(key);
    return versions.map(recordOf);
  }

  /** Undoes what was to be confirmed when the control plane before this one ended; called once, before anything is pushed. */
  undoUnconfirmed(): string | undefined {
    const { unconfirmed } = this.#parts.store;
    if (unconfirmed === undefined) return undefined;
    const undone = this.#undo(unconfirmed);
    const outcome = "revision" in undone ? `undone by revision ${undone.revision}` : undone.problem;
    return `revision ${unconfirmed} was not confirmed before the control plane ended: ${outcome}`;
  }

  #planned(request: ApplyRequest, ifRevision: number | undefined): ApplyPlan {
    const { clock, config } = this.#parts;
    const plan = planApply(request, config, this.#check, clock.now());
    this.#refuseOverwrite(
      plan.entries.map(({ resource }) => resource),
      ifRevision,
    );
    return plan;
  }

  readonly #check: MeshPipeline["check"] = (resources) => this.#parts.pipeline.check(resources);

  #commit(
    what: string,
    { entries, removed, resources }: Omit<RollbackPlan, "diagnostics">,
    by: Caller | OwnChange,
  ): number {
    const { store, config, events, onChange } = this.#parts;
    const texts = removed.map((key) => ({ key: resourceKey(key), text: store.versionOf(key)?.text }));
    const changed = resources.filter(({ action }) => action !== "unchanged");
    const author = this.#author(`${what}: ${changed.map(describe).join(", ")}`, by);
    const revision = store.change(entries, removed, author);
    config.put(entries);
    for (const { key, text } of texts) config.remove(key, text);
    events.add("apply", `${what}: revision ${revision}: ${changed.map(describe).join(", ")}`);
    onChange();
    return revision;
  }

  /** Who makes a revision, and what the audit log says of it, in the same transaction. */
  #author(subject: string, by: Caller | OwnChange): ChangeAuthor {
    const { audit, clock } = this.#parts;
    const isOwn = "author" in by;
    const actor = isOwn ? { ...ownActor, authorizedBy: by.author } : actorOf(by);
    return {
      author: isOwn ? by.author : describeCaller(by),
      record: (revision) =>
        audit.append({ atMs: clock.now(), event: "configuration changed", subject, revision, ...actor }),
    };
  }

  #answer(
    said: Pick<ApplyResult, "resources" | "diagnostics">,
    make: () => number,
    confirm: Confirmation | undefined,
  ): ApplyResult | Promise<ApplyResult> {
    if (!confirm) return { revision: make(), dryRun: false, ...said };
    return this.#confirmed(make, confirm).then((made) => ({ ...made, dryRun: false, ...said }));
  }

  async #confirmed(
    make: () => number,
    { timeoutMs }: Confirmation,
  ): Promise<Pick<ApplyResult, "revision" | "confirmed">> {
    const { store, sync, clock, events } = this.#parts;
    if (store.unconfirmed !== undefined) {
      throw new ApiRefusal(409, {
        error: `revision ${store.unconfirmed} is still waiting to be confirmed`,
        hint: "'weft status' shows which proxies it waits for; apply again when it is done",
      });
    }
    const refusedBefore = refusals(sync);
    // First noted, so that a control plane that ends in between knows of it.
    store.setUnconfirmed(store.revision + 1);
    let revision: number;
    try {
      revision = make();
    } catch (error) {
      store.setUnconfirmed(undefined);
      throw error;
    }
    const result = await awaitSync(sync, clock, { revision, timeoutMs, refusedBefore });
    if (result.isSynced) {
      store.setUnconfirmed(undefined);
      return { revision, confirmed: { sync: result } };
    }
    const undone = this.#undo(revision);
    const how = "revision" in undone ? `undone by revision ${undone.revision}` : undone.problem;
    events.add("apply", `revision ${revision} was not acknowledged by every proxy: ${how}`);
    return { revision, confirmed: { sync: result, undone } };
  }

  #undo(revision: number): NonNullable<Confirmed["undone"]> {
    const { store, config } = this.#parts;
    store.setUnconfirmed(undefined);
    if (store.revision !== revision) {
      return store.revision < revision
        ? { problem: `revision ${revision} was never made` }
        : {
            problem: `revision ${revision + 1} was made since: 'weft rollback' says what going back would do`,
          };
    }
    try {
      const plan = planRollback(store.changedSince(revision - 1), config, this.#check);
      return { revision: this.#commit(`undo of ${revision}`, plan, { author: ownActor.authorizedBy }) };
    } catch (error) {
      return { problem: messageOf(error) };
    }
  }

  #refuseOverwrite(keys: readonly ResourceKey[], ifRevision: number | undefined): void {
    if (ifRevision === undefined) return;
    for (const key of keys) {
      const newest = this.#parts.store.versions(key)[0];
      if (!newest || newest.revision <= ifRevision) continue;
      throw new ApiRefusal(412, {
        error: `${nameOf(key)} was ${newest.action} by revision ${newest.revision}, after revision ${ifRevision}`,
        hint: "look at it with 'weft get' or 'weft diff', and apply again with --if-revision of what you saw",
      });
    }
  }
}

export function noSuchResource(key: ResourceKey): ApiRefusal {
  return new ApiRefusal(404, {
    error: `there is no ${nameOf(key)}`,
    hint: "'weft get all' lists what there is",
  });
}

/** `VirtualService default/reviews` */
export function nameOf({ kind, namespace, name }: ResourceKey): string {
  return `${kind} ${namespace}/${name}`;
}

function describe(resource: ResourceKey & { readonly action: string }): string {
  return `${nameOf(keyOf(resource))} ${resource.action}`;
}

function recordOf({
  resource,
  version,
  revision,
  action,
  author,
  changedAtMs,
  text,
}: ResourceVersion): ResourceVersionRecord {
  const origin = formatOrigin({ file: text.file, line: text.line, column: 1 });
  return { version, revision, action, author, changedAtMs, origin, text: versionText(resource, text) };
}

function shownOf(entry: ConfigEntry | undefined): string | undefined {
  return entry && shownText(entry);
}

/** What is in a Secret is not told, nor what was in one. */
function versionText({ kind }: ResourceKey, text: ResourceText): string {
  if (kind !== "Secret") return text.text;
  const [entry] = readEntries(joinDocuments([text]), "store").entries;
  return entry ? shownText(entry) : "";
}
