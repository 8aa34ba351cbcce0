import type { Clock } from "@weft/base/clock";
import type { ResourceKey, RevisionRecord } from "../api/protocol.ts";
import type { Database } from "./database.ts";

/** One resource as it was written, and where its text begins. */
export interface WrittenResource {
  readonly resource: ResourceKey & { readonly apiVersion: string };
  readonly text: { readonly text: string; readonly file: string; readonly line: number };
}

/** One version of a resource. A deleted one keeps the text it had. */
export interface ResourceVersion extends WrittenResource {
  /** From 1, per resource. */
  readonly version: number;
  readonly revision: number;
  readonly action: "created" | "changed" | "deleted";
  readonly author: string;
  readonly changedAtMs: number;
  /** When it, or what it was made anew from after a deletion, was first written. */
  readonly createdAtMs: number;
}

/** Who makes a revision. */
export interface ChangeAuthor {
  readonly author: string;
  /** Writes what belongs to the revision, as part of it: both happen or neither. */
  readonly record?: (revision: number) => void;
}

/**
 * Configuration with its whole history. Each change is one revision of the
 * mesh, counted from 1, whatever number of resources it touches; it happens as a
 * whole and is durable when the call returns.
 */
export interface ResourceStore {
  /** The newest revision; 0 before the first change. */
  readonly revision: number;
  /** Everything that is in force, by file and line. */
  current(): readonly ResourceVersion[];
  /** Writes these. What is the same already is left as it is; when all are, there is no new revision. */
  put(written: readonly WrittenResource[], by?: ChangeAuthor): number;
  /** Deletes one; deleting what is not there changes nothing. */
  remove(key: ResourceKey, by?: ChangeAuthor): number;
  /** Writes and deletes as one revision. */
  change(written: readonly WrittenResource[], deleted: readonly ResourceKey[], by?: ChangeAuthor): number;
  /** What has changed since a revision, with what each was before. */
  changedSince(revision: number): readonly ResourceChange[];
  /** A revision that is given up again unless it is confirmed: also by a control plane that starts. */
  readonly unconfirmed: number | undefined;
  setUnconfirmed(revision: number | undefined): void;
  versionOf(key: ResourceKey): ResourceVersion | undefined;
  /** All versions of one resource, newest first. */
  versions(key: ResourceKey): readonly ResourceVersion[];
  /** The last revisions, newest first. */
  history(limit: number): readonly RevisionRecord[];
}

/** A resource that differs from what it was at an earlier revision. */
export interface ResourceChange {
  readonly key: ResourceKey;
  /** Undefined where it did not exist. */
  readonly before: ResourceVersion | undefined;
  /** Undefined where it has been deleted. */
  readonly now: ResourceVersion | undefined;
}

interface Row {
  kind: string;
  namespace: string;
  name: string;
  version: number;
  revision: number;
  action: ResourceVersion["action"];
  api_version: string;
  text: string;
  file: string;
  line: number;
  author: string;
  at_ms: number;
  created_at_ms: number;
}

/** Who changes what through the API's Unix socket: whoever may open it. */
const localOperator = "local";
const select = `
  SELECT *, (
    SELECT max(begun.at_ms) FROM resource_versions AS made JOIN revisions AS begun USING (revision)
    WHERE made.kind = resource_versions.kind AND made.namespace = resource_versions.namespace
      AND made.name = resource_versions.name AND made.version <= resource_versions.version
      AND made.action = 'created'
  ) AS created_at_ms
  FROM resource_versions JOIN revisions USING (revision)`;

export function sqliteResourceStore(database: Database, clock: Clock): ResourceStore {
  const { sqlite } = database;
  const findLatest = sqlite.prepare(
    `${select} WHERE kind = ? AND namespace = ? AND name = ? AND is_latest = 1`,
  );
  const findAll = sqlite.prepare(
    `${select} WHERE kind = ? AND namespace = ? AND name = ? ORDER BY version DESC`,
  );
  const findCurrent = sqlite.prepare(
    `${select} WHERE is_latest = 1 AND action <> 'deleted' ORDER BY file, line`,
  );
  const unsetLatest = sqlite.prepare(
    "UPDATE resource_versions SET is_latest = 0 WHERE kind = ? AND namespace = ? AND name = ? AND is_latest = 1",
  );
  const insertVersion = sqlite.prepare(
    "INSERT INTO resource_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
  );
  const insertRevision = sqlite.prepare("INSERT INTO revisions VALUES (?, ?, ?)");
  const findRevisions = sqlite.prepare("SELECT * FROM revisions ORDER BY revision DESC LIMIT ?");
  const findChanges = sqlite.prepare(
    "SELECT kind, namespace, name, action FROM resource_versions WHERE revision = ? ORDER BY kind, namespace, name",
  );
  const findChanged = sqlite.prepare(
    `${select} WHERE is_latest = 1 AND revision > ? ORDER BY kind, namespace, name`,
  );
  const findThen = sqlite.prepare(
    `${select} WHERE kind = ? AND namespace = ? AND name = ? AND revision <= ? ORDER BY version DESC LIMIT 1`,
  );
  const findSetting = sqlite.prepare("SELECT value FROM settings WHERE name = 'unconfirmed_revision'");
  const putSetting = sqlite.prepare(
    "INSERT INTO settings VALUES ('unconfirmed_revision', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const dropSetting = sqlite.prepare("DELETE FROM settings WHERE name = 'unconfirmed_revision'");
  const newest = sqlite.prepare("SELECT coalesce(max(revision), 0) AS revision FROM revisions");
  let revision = (newest.get() as { revision: number }).revision;

  const latest = (key: ResourceKey) => findLatest.get(key.kind, key.namespace, key.name) as Row | undefined;

  const append = (
    next: number,
    row: Omit<Row, "version" | "revision" | "author" | "at_ms" | "created_at_ms">,
    version: number,
  ) => {
    const { kind, namespace, name, action, api_version, text, file, line } = row;
    unsetLatest.run(kind, namespace, name);
    insertVersion.run(kind, namespace, name, version, next, action, api_version, text, file, line);
  };

  const change: ResourceStore["change"] = (written, deleted, by = { author: localOperator }) => {
    const next = database.transaction(() => {
      const changes = written
        .map(({ resource, text }) => ({ resource, text, before: latest(resource) }))
        .filter(({ resource, text, before }) => !before || isChanged(before, resource, text));
      const gone = deleted.flatMap((key) => {
        const before = latest(key);
        return !before || before.action === "deleted" ? [] : [before];
      });
      if (changes.length + gone.length === 0) return revision;
      insertRevision.run(revision + 1, clock.now(), by.author);
      for (const { resource, text, before } of changes) {
        const { kind, namespace, name, apiVersion } = resource;
        const action = !before || before.action === "deleted" ? "created" : "changed";
        append(
          revision + 1,
          { kind, namespace, name, action, api_version: apiVersion, ...text },
          (before?.version ?? 0) + 1,
        );
      }
      for (const before of gone) append(revision + 1, { ...before, action: "deleted" }, before.version + 1);
      by.record?.(revision + 1);
      return revision + 1;
    });
    revision = next;
    return revision;
  };

  return {
    get revision() {
      return revision;
    },
    current: () => (findCurrent.all() as unknown as Row[]).map(toVersion),
    put: (written, by) => change(written, [], by),
    remove: (key, by) => change([], [key], by),
    change,
    changedSince: (since) =>
      (findChanged.all(since) as unknown as Row[]).flatMap((row) => {
        const { kind, namespace, name } = row;
        const then = findThen.get(kind, namespace, name, since) as Row | undefined;
        const key = { kind, namespace, name };
        const change = { key, before: liveVersion(then), now: liveVersion(row) };
        return change.before || change.now ? [change] : [];
      }),
    get unconfirmed() {
      const row = findSetting.get() as { value: string } | undefined;
      return row && Number(row.value);
    },
    setUnconfirmed(unconfirmed) {
      if (unconfirmed === undefined) dropSetting.run();
      else putSetting.run(String(unconfirmed));
    },
    versionOf(key) {
      return liveVersion(latest(key));
    },
    versions: (key) => (findAll.all(key.kind, key.namespace, key.name) as unknown as Row[]).map(toVersion),
    history: (limit) =>
      (findRevisions.all(limit) as { revision: number; at_ms: number; author: string }[]).map((row) => ({
        revision: row.revision,
        atMs: row.at_ms,
        author: row.author,
        changes: findChanges
          .all(row.revision)
          .map((change) => ({ ...change })) as unknown as RevisionRecord["changes"],
      })),
  };
}

function isChanged(
  before: Row,
  { apiVersion }: WrittenResource["resource"],
  text: WrittenResource["text"],
): boolean {
  return (
    before.action === "deleted" ||
    before.api_version !== apiVersion ||
    before.text !== text.text ||
    before.file !== text.file ||
    before.line !== text.line
  );
}

function liveVersion(row: Row | undefined): ResourceVersion | undefined {
  return row && row.action !== "deleted" ? toVersion(row) : undefined;
}

function toVersion(row: Row): ResourceVersion {
  const { kind, namespace, name, version, revision, action, author, text, file, line } = row;
  return {
    resource: { kind, namespace, name, apiVersion: row.api_version },
    text: { text, file, line },
    version,
    revision,
    action,
    author,
    changedAtMs: row.at_ms,
    createdAtMs: row.created_at_ms,
  };
}
