import type { ListenerPlan } from "./listener-plan.ts";

/** Tells the HTTP filters of a listener that it is in force; the function given back says that it is no longer. */
export function holdFilters({ chains, defaultChain }: ListenerPlan): () => void {
  const releases = [...chains, ...(defaultChain ? [defaultChain] : [])].flatMap(({ terminal }) =>
    terminal.kind === "http" ? terminal.filters.flatMap((filter) => filter.onListening?.() ?? []) : [],
  );
  return () => {
    for (const release of releases) release();
  };
}
