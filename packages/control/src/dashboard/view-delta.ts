import type { DashboardView, MeshSummary, TableName, Tables } from "./view.ts";

/** What is different in the next view: rows that are new or changed, and ids of those that are gone. */
export interface ViewDelta {
  readonly mesh: MeshSummary;
  readonly set: { readonly [Name in TableName]?: Tables[Name] };
  readonly gone: { readonly [Name in TableName]?: readonly string[] };
}

export function diffViews(before: DashboardView, after: DashboardView): ViewDelta {
  const set: Partial<Record<TableName, Record<string, unknown>>> = {};
  const gone: Partial<Record<TableName, string[]>> = {};
  for (const name of Object.keys(after.tables) as TableName[]) {
    const old = before.tables[name] as Readonly<Record<string, unknown>>;
    const next = after.tables[name] as Readonly<Record<string, unknown>>;
    for (const [id, row] of Object.entries(next)) {
      const known = old[id];
      if (known === row || (known !== undefined && JSON.stringify(known) === JSON.stringify(row))) continue;
      set[name] ??= {};
      set[name][id] = row;
    }
    for (const id of Object.keys(old)) {
      if (id in next) continue;
      gone[name] ??= [];
      gone[name].push(id);
    }
  }
  return { mesh: after.mesh, set: set as ViewDelta["set"], gone };
}

/** The next view; tables and rows without a change stay the same objects. */
export function applyDelta(view: DashboardView, delta: ViewDelta): DashboardView {
  const tables: Record<string, Readonly<Record<string, unknown>>> = { ...view.tables };
  for (const name of Object.keys(view.tables) as TableName[]) {
    const set = delta.set[name];
    const gone = delta.gone[name];
    if (!set && !gone) continue;
    const next = { ...view.tables[name], ...set } as Record<string, unknown>;
    for (const id of gone ?? []) delete next[id];
    tables[name] = next;
  }
  return { mesh: delta.mesh, tables: tables as unknown as Tables };
}
