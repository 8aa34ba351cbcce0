import type { Database } from "./database.ts";

/** What is known of each Canary, as text that whoever wrote it can read again. */
export interface CanaryStore {
  list(): readonly { readonly key: string; readonly body: string }[];
  put(key: string, body: string): void;
  remove(key: string): void;
}

export function sqliteCanaryStore({ sqlite }: Database): CanaryStore {
  const all = sqlite.prepare("SELECT key, body FROM canaries ORDER BY key");
  const write = sqlite.prepare("INSERT OR REPLACE INTO canaries VALUES (?, ?)");
  const drop = sqlite.prepare("DELETE FROM canaries WHERE key = ?");
  return {
    list: () => (all.all() as { key: string; body: string }[]).map(({ key, body }) => ({ key, body })),
    put: (key, body) => void write.run(key, body),
    remove: (key) => void drop.run(key),
  };
}
