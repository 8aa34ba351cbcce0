import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { formatOrigin } from "@weft/base/origin";
import { SortedMap } from "@weft/base/sorted-map";
import { reportGuard } from "../config/guard.ts";
import { parseConfig } from "../config/parse-config.ts";
import type { ConfigFile } from "../config/parse-documents.ts";
import { type ConfigResource, resourceKey } from "../config/resource.ts";
import type { ResourceVersion } from "../store/resource-store.ts";
import { joinDocuments, type ResourceText, splitDocuments } from "./split-documents.ts";

/** A resource with the text it was made from, and what was found in that text. */
export interface ConfigEntry {
  readonly key: string;
  readonly resource: ConfigResource;
  readonly text: ResourceText;
  readonly source: "store" | "directory";
  readonly diagnostics: readonly Diagnostic[];
}

/** One file of the watched directory, with what of it is in force. */
interface DirectoryFile {
  readonly text: string;
  readonly entries: readonly ConfigEntry[];
  readonly diagnostics: readonly Diagnostic[];
}

/** What is in force of all sources together. */
interface Merged {
  readonly entries: SortedMap<ConfigEntry>;
  readonly resources: readonly ConfigResource[];
  /** About what is not in force. */
  readonly aside: readonly Diagnostic[];
  diagnostics?: readonly Diagnostic[];
}

/**
 * Every resource in force: those that were applied, and those of the watched
 * directory. Holds only resources that parsed; what did not is in `diagnostics`.
 */
export class ConfigSet {
  readonly #stored = new Map<string, ConfigEntry>();
  #loadDiagnostics: readonly Diagnostic[] = [];
  #files: ReadonlyMap<string, DirectoryFile> = new Map();
  #cached: Merged | undefined;

  /** What the store held at the start. A resource that no longer parses is reported and not in force. */
  load(versions: readonly Pick<ResourceVersion, "resource" | "text" | "createdAtMs">[]): void {
    const parsed = parseConfig(joinDocuments(versions.map(({ text }) => text)));
    const resources = [...parsed.resources, ...parsed.guards];
    const diagnostics = [...parsed.diagnostics, ...aboutGuards(parsed.guards)];
    // By key: two that were applied from one file at different times may stand at the same line.
    const stored = new Map(versions.map((version) => [resourceKey(version.resource), version]));
    const entries = resources.flatMap((resource) => {
      const version = stored.get(resourceKey(resource));
      if (!version) return [];
      return entryOf(agedFrom(resource, version.createdAtMs), version.text, "store", diagnostics);
    });
    for (const entry of entries) this.#stored.set(entry.key, entry);
    this.#loadDiagnostics = withoutPlaced(diagnostics, entries);
    this.#cached = undefined;
  }

  put(entries: readonly ConfigEntry[]): void {
    for (const entry of entries) this.#stored.set(entry.key, entry);
    this.#cached = this.#cached && putInto(this.#cached, entries);
  }

  /** Also of one that did not parse when it was loaded: what was said about it is then no longer said. */
  remove(key: string, text?: ResourceText): void {
    this.#stored.delete(key);
    if (text) this.#loadDiagnostics = this.#loadDiagnostics.filter((d) => !isWithin(d, text));
    this.#cached = undefined;
  }

  /**
   * Takes the files of the directory as they are now. A file with an error is
   * reported and its last good version stays in force, as long as it exists.
   * True when what is in force, or what is reported, has changed.
   */
  setDirectory(files: readonly ConfigFile[]): boolean {
    const next = new Map<string, DirectoryFile>();
    let isChanged = files.length !== this.#files.size;
    for (const file of files) {
      const before = this.#files.get(file.name);
      if (before?.text === file.text) {
        next.set(file.name, before);
        continue;
      }
      isChanged = true;
      const { entries, diagnostics, guards } = readEntries([file], "directory");
      const hasErrors = diagnostics.some((diagnostic) => diagnostic.severity === "error");
      const isKept = hasErrors && before !== undefined && before.entries.length > 0;
      const inForce = isKept ? before.entries : [...entries, ...guards];
      const own = isKept ? diagnostics : withoutPlaced(diagnostics, inForce);
      next.set(file.name, { text: file.text, entries: inForce, diagnostics: own });
    }
    this.#files = next;
    if (isChanged) this.#cached = undefined;
    return isChanged;
  }

  /** Everything in force, by resource key. What the directory holds goes before what was applied. */
  get entries(): ReadonlyMap<string, ConfigEntry> {
    return this.#merged().entries;
  }

  get diagnostics(): readonly Diagnostic[] {
    const merged = this.#merged();
    merged.diagnostics ??= [
      ...merged.aside,
      ...merged.entries.values().flatMap((entry) => entry.diagnostics),
    ];
    return merged.diagnostics;
  }

  get resources(): readonly ConfigResource[] {
    return this.#merged().resources;
  }

  #merged(): Merged {
    if (this.#cached) return this.#cached;
    const entries = new Map<string, ConfigEntry>();
    const aside = [...this.#loadDiagnostics];
    for (const [, file] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      aside.push(...file.diagnostics);
      for (const entry of file.entries) {
        const first = entries.get(entry.key);
        if (first) aside.push(writtenTwice(entry, first));
        else entries.set(entry.key, entry);
      }
    }
    for (const [key, entry] of this.#stored) {
      const first = entries.get(key);
      if (first) aside.push(shadowed(entry, first));
      else entries.set(key, entry);
    }
    const sorted = SortedMap.from(entries);
    this.#cached = { entries: sorted, resources: resourcesIn(sorted), aside };
    return this.#cached;
  }

  /** The resources there would be after a change; everything in force is looked at only where much changes. */
  resourcesAfter({ entries, removed }: ConfigChange): readonly ConfigResource[] {
    const { entries: inForce, resources } = this.#merged();
    return replaced(resources, inForce, inForce.with([], removed).with(byKey(entries)), [
      ...removed,
      ...entries.map(({ key }) => key),
    ]);
  }
}

/** What a change writes and deletes. */
export interface ConfigChange {
  readonly entries: readonly ConfigEntry[];
  /** Keys of resources. */
  readonly removed: readonly string[];
}

/** Undefined where the directory has one of them: it goes before. */
function putInto(merged: Merged, put: readonly ConfigEntry[]): Merged | undefined {
  const { entries: before, resources, aside, diagnostics } = merged;
  const replacing = put.map(({ key }) => before.get(key));
  if (replacing.some((entry) => entry?.source === "directory")) return undefined;
  const entries = before.with(byKey(put));
  const keys = put.map(({ key }) => key);
  const next = { entries, resources: replaced(resources, before, entries, keys), aside };
  const isNothingSaid = [...put, ...replacing].every((entry) => !entry?.diagnostics.length);
  return diagnostics && isNothingSaid ? { ...next, diagnostics } : next;
}

function byKey(entries: readonly ConfigEntry[]): [string, ConfigEntry][] {
  return entries.map((entry) => [entry.key, entry]);
}

/** Of more changes than these all resources are listed anew. */
const maxReplaced = 64;

/** The resources of `after`, which differs from `before` in these keys alone. */
function replaced(
  resources: readonly ConfigResource[],
  before: SortedMap<ConfigEntry>,
  after: SortedMap<ConfigEntry>,
  keys: readonly string[],
): readonly ConfigResource[] {
  if (keys.length > maxReplaced) return resourcesIn(after);
  let list = [...resources];
  for (const key of new Set(keys)) {
    const [old, now] = [before.get(key)?.resource, after.get(key)?.resource];
    if (old && now) list[list.indexOf(old)] = now;
    else if (old) list = list.filter((resource) => resource !== old);
    else if (now) list.push(now);
  }
  return list;
}

function resourcesIn(entries: SortedMap<ConfigEntry>): ConfigResource[] {
  return Array.from(entries.values(), ({ resource }) => resource);
}

/** Parses files into entries with their own text. */
export function readEntries(
  files: readonly ConfigFile[],
  source: ConfigEntry["source"],
): {
  readonly entries: readonly ConfigEntry[];
  readonly diagnostics: readonly Diagnostic[];
  /** In the place of security policies that are refused; said in their own diagnostics alone. */
  readonly guards: readonly ConfigEntry[];
} {
  const { resources, diagnostics, guards } = parseConfig(files);
  const texts = new Map(files.map((file) => [file.name, splitDocuments(file)]));
  const entriesOf = (list: readonly ConfigResource[], found: readonly Diagnostic[]) =>
    list.map((resource) => {
      const key = resourceKey(resource);
      const { file, line } = resource.origins.at("");
      const text = texts.get(file)?.get(key) ?? { text: "", file, line };
      return entryOf(resource, text, source, found);
    });
  return {
    entries: entriesOf(resources, diagnostics),
    diagnostics,
    guards: entriesOf(guards, [...diagnostics, ...aboutGuards(guards)]),
  };
}

function aboutGuards(guards: readonly ConfigResource[]): readonly Diagnostic[] {
  const diagnostics = new Diagnostics();
  for (const resource of guards) reportGuard(resource, diagnostics);
  return diagnostics.all;
}

/** A resource that says itself when it was made, or else was made then. */
export function agedFrom(resource: ConfigResource, createdAtMs: number | undefined): ConfigResource {
  return resource.createdAtMs === undefined ? { ...resource, createdAtMs } : resource;
}

function entryOf(
  resource: ConfigResource,
  text: ResourceText,
  source: ConfigEntry["source"],
  diagnostics: readonly Diagnostic[],
): ConfigEntry {
  const found = diagnostics.filter((diagnostic) => isWithin(diagnostic, text));
  return { key: resourceKey(resource), resource, text, source, diagnostics: found };
}

/** Whether a diagnostic points into this text. */
export function isWithin({ origin }: Diagnostic, text: ResourceText): boolean {
  if (origin?.file !== text.file || origin.line < text.line) return false;
  return origin.line < text.line + text.text.split("\n").length;
}

/** The diagnostics that belong to no entry: about documents that are not in force. */
function withoutPlaced(
  diagnostics: readonly Diagnostic[],
  entries: readonly ConfigEntry[],
): readonly Diagnostic[] {
  const placed = new Set(entries.flatMap((entry) => entry.diagnostics));
  return diagnostics.filter((diagnostic) => !placed.has(diagnostic));
}

function writtenTwice(entry: ConfigEntry, first: ConfigEntry): Diagnostic {
  const { kind, namespace, name, origins } = entry.resource;
  return {
    code: "W1011",
    severity: "error",
    message: `${kind} ${namespace}/${name} is written twice: this one is not in force`,
    hint: `the first is at ${formatOrigin(first.resource.origins.at("metadata.name"))}: remove one of them`,
    origin: origins.at("metadata.name"),
  };
}

function shadowed(entry: ConfigEntry, first: ConfigEntry): Diagnostic {
  const { kind, namespace, name, origins } = entry.resource;
  return {
    code: "W1012",
    severity: "warning",
    message: `the applied ${kind} ${namespace}/${name} is not in force: the watched directory has one`,
    hint: `the other is at ${formatOrigin(first.resource.origins.at("metadata.name"))}: delete one of them`,
    origin: origins.at("metadata.name"),
  };
}
