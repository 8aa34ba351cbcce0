import type { Database } from "./database.ts";

/** A rollout as text that whoever wrote it can read again. */
export interface StoredRollout {
  readonly id: number;
  /** `namespace/service`. */
  readonly service: string;
  readonly isOver: boolean;
  readonly body: string;
}

/** Rollouts under way, and the last of each service. Each change is durable when its call returns. */
export interface RolloutStore {
  /** In the order they began. */
  list(): readonly StoredRollout[];
  /** One more than any there ever was. */
  nextId(): number;
  /** Of those of a service that are over only the newest is kept. */
  put(rollout: StoredRollout): void;
}

interface Row {
  id: number;
  service: string;
  is_over: number;
  body: string;
}

/** Services of which the last rollout is kept: a person looks at these. */
const maxKept = 500;

export function sqliteRolloutStore(database: Database): RolloutStore {
  const { sqlite } = database;
  const all = sqlite.prepare("SELECT * FROM rollouts ORDER BY id");
  const newest = sqlite.prepare("SELECT coalesce(max(id), 0) AS id FROM rollouts");
  const write = sqlite.prepare("INSERT OR REPLACE INTO rollouts VALUES (?, ?, ?, ?)");
  const forget = sqlite.prepare("DELETE FROM rollouts WHERE service = ? AND id < ? AND is_over = 1");
  const trim = sqlite.prepare(
    "DELETE FROM rollouts WHERE id IN (SELECT id FROM rollouts WHERE is_over = 1 ORDER BY id DESC LIMIT -1 OFFSET ?)",
  );
  return {
    list: () =>
      (all.all() as unknown as Row[]).map(({ id, service, is_over, body }) => ({
        id,
        service,
        isOver: is_over === 1,
        body,
      })),
    nextId: () => (newest.get() as { id: number }).id + 1,
    put: ({ id, service, isOver, body }) =>
      database.transaction(() => {
        write.run(id, service, isOver ? 1 : 0, body);
        forget.run(service, id);
        trim.run(maxKept);
      }),
  };
}
