/** The namespaces whose proxies get to see a resource; undefined: all of them. */
export type Visibility = readonly string[] | undefined;

/**
 * What `exportTo` means in a resource of `namespace`: `.` is that namespace,
 * `*` every one, `~` none. Unwritten is every one.
 */
export function visibilityOf(exportTo: readonly string[] | undefined, namespace: string): Visibility {
  if (!exportTo?.length || exportTo.includes("*")) return undefined;
  if (exportTo.includes("~")) return [];
  return [...new Set(exportTo.map((name) => (name === "." ? namespace : name)))].sort();
}

/** The same as the part of something visible that it is: nothing where every namespace sees it. */
export function visibilityIn(
  exportTo: readonly string[] | undefined,
  namespace: string,
): Pick<Visible, "visibleIn"> {
  const visibleIn = visibilityOf(exportTo, namespace);
  return visibleIn ? { visibleIn } : {};
}

/** A resource with who sees it. */
export interface Visible {
  readonly namespace: string;
  readonly visibleIn?: Visibility;
}

/**
 * How near a resource is to the proxies of a namespace: of several for one
 * host the nearest holds, which is its own namespace's, then one exported to it
 * by name, then one for all. Undefined: they do not see it.
 */
export function nearnessTo(namespace: string, { namespace: own, visibleIn }: Visible): number | undefined {
  if (!visibleIn) return 2;
  if (!visibleIn.includes(namespace)) return undefined;
  return own === namespace ? 0 : 1;
}

/** Whether there are proxies to which both are equally near, so that only one of the two can hold for them. */
export function contend(a: Visible, b: Visible): boolean {
  if (!a.visibleIn || !b.visibleIn) return a.visibleIn === b.visibleIn;
  const other = new Set(b.visibleIn);
  return a.visibleIn.some((name) => other.has(name) && (a.namespace === name) === (b.namespace === name));
}
