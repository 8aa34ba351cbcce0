import type { Diagnostic } from "@weft/base/diagnostics";
import type { JsonObject, ResourceKey, SyncResult, XdsKind } from "./protocol.ts";

/** What is said about changes of the configuration: what is asked for, and what became of it. */

/** One file as the person has it: its name is what diagnostics point to. */
export interface ApplyFile {
  readonly name: string;
  /** May hold several YAML documents. */
  readonly text: string;
}

export interface ApplyRequest {
  readonly files: readonly ApplyFile[];
  /** Says what would happen and changes nothing. */
  readonly dryRun?: boolean;
  /** Refused when one of the resources was changed after this revision: by somebody else, since it was looked at. */
  readonly ifRevision?: number;
  readonly confirm?: Confirmation;
}

/** A change that stays only if every proxy takes it. */
export interface Confirmation {
  /** It is undone when a proxy refuses it, or has not acknowledged it by then. */
  readonly timeoutMs: number;
}

/** What became of a change that was to be confirmed. */
export interface Confirmed {
  readonly sync: SyncResult;
  /** Where the change was undone: the revision without it, or why it could not be undone. */
  readonly undone?: { readonly revision: number } | { readonly problem: string };
}

/** Back to what the configuration was at a revision. */
export interface RollbackRequest {
  readonly revision: number;
  /** Only this resource. */
  readonly resource?: ResourceKey;
  readonly dryRun?: boolean;
  readonly confirm?: Confirmation;
}

export type ApplyAction = "created" | "changed" | "unchanged" | "deleted";

export interface ApplyResult {
  /** The revision that holds these resources; the one before when nothing changed or it was a dry run. */
  readonly revision: number;
  readonly dryRun: boolean;
  readonly resources: readonly (ResourceKey & { readonly action: ApplyAction })[];
  /** Warnings and notes; a refused apply is an error that carries its diagnostics instead. */
  readonly diagnostics: readonly Diagnostic[];
  /** Where it was to be confirmed, and something changed. */
  readonly confirmed?: Confirmed;
}

/** What an apply would change: in what is written, and for the sidecars of connected workloads. */
export interface DiffResult {
  readonly revision: number;
  readonly resources: readonly ResourceDiff[];
  readonly proxies: readonly ProxyChange[];
  /** What there is beside: workloads that were not looked at, changes that are not shown. */
  readonly unseen: { readonly workloads: number; readonly changes: number };
  readonly diagnostics: readonly Diagnostic[];
}

export interface ResourceDiff extends ResourceKey {
  readonly action: ApplyAction;
  /** The text in force. */
  readonly before?: string;
  readonly after?: string;
}

/** One xDS resource that would be another, for these workloads. */
export interface ProxyChange {
  readonly kind: XdsKind;
  readonly name: string;
  readonly action: "created" | "changed" | "deleted";
  readonly workloads: readonly string[];
  readonly before?: JsonObject;
  readonly after?: JsonObject;
}

/** One version of a resource, as it was written. */
export interface ResourceVersionRecord {
  /** From 1, per resource. */
  readonly version: number;
  readonly revision: number;
  readonly action: "created" | "changed" | "deleted";
  readonly author: string;
  readonly changedAtMs: number;
  readonly origin: string;
  readonly text: string;
}

export interface DeleteResult {
  readonly revision: number;
  readonly resource: ResourceKey;
}
