import type { Database } from "./database.ts";

/** Which virtual address each hostname has, kept so that it has the same after a restart. */
export interface VirtualAddressStore {
  /** Hostname to address, of all that were ever assigned. */
  load(): ReadonlyMap<string, string>;
  /** Adds all or none. @throws when a hostname or an address is taken. */
  add(assigned: ReadonlyMap<string, string>): void;
}

export function sqliteAddressStore(database: Database): VirtualAddressStore {
  const all = database.sqlite.prepare("SELECT hostname, address FROM virtual_addresses");
  const insert = database.sqlite.prepare("INSERT INTO virtual_addresses VALUES (?, ?)");
  return {
    load: () =>
      new Map(
        (all.all() as { hostname: string; address: string }[]).map((row) => [row.hostname, row.address]),
      ),
    add: (assigned) =>
      database.transaction(() => {
        for (const [hostname, address] of assigned) insert.run(hostname, address);
      }),
  };
}
