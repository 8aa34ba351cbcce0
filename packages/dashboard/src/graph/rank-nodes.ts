/**
 * How deep in the calls each stands: 0 for who is called by nobody, otherwise one
 * more than its deepest caller. Calls in a circle are broken where the walk, in
 * order of names, comes back to. What stands deeper than `deepest` stands there.
 */
export function rankNodes(
  ids: readonly string[],
  edges: readonly { readonly from: string; readonly to: string }[],
  deepest = Number.POSITIVE_INFINITY,
): ReadonlyMap<string, number> {
  const here = new Set(ids);
  const real = edges.filter(({ from, to }) => from !== to && here.has(from) && here.has(to));
  const callees = Map.groupBy(real, ({ from }) => from);
  const called = new Set(real.map(({ to }) => to));
  const order = postOrder([...ids.filter((id) => !called.has(id)), ...ids], callees);
  const place = new Map(order.map((id, i) => [id, i]));
  const ranks = new Map<string, number>();
  // From callers to callees: what comes later in post-order calls what comes earlier.
  for (const id of order.toReversed()) {
    const rank = Math.min(deepest, ranks.get(id) ?? 0);
    ranks.set(id, rank);
    for (const { to } of callees.get(id) ?? []) {
      const isForward = place.get(to)! < place.get(id)!;
      if (isForward) ranks.set(to, Math.max(ranks.get(to) ?? 0, rank + 1));
    }
  }
  return ranks;
}

/** Depth first without recursion, so that a long chain of calls is no deep stack. */
function postOrder(
  roots: readonly string[],
  callees: ReadonlyMap<string, readonly { readonly to: string }[]>,
): readonly string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  for (const root of roots) {
    if (seen.has(root)) continue;
    seen.add(root);
    const stack = [{ id: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const to = callees.get(top.id)?.[top.next]?.to;
      top.next += 1;
      if (to === undefined) {
        order.push(top.id);
        stack.pop();
      } else if (!seen.has(to)) {
        seen.add(to);
        stack.push({ id: to, next: 0 });
      }
    }
  }
  return order;
}
