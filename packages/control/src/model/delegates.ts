import { limits } from "../config/parse-documents.ts";
import type { ResourceOf } from "../config/resource.ts";
import type { HttpMatchSpec, HttpRouteSpec, StringMatch } from "../config/virtual-service-specs.ts";
import { visibilityOf } from "./visibility.ts";

type VirtualService = ResourceOf<"VirtualService">;

/** A rule as it holds, and the resource and place in it where it was written. */
export interface WrittenRule {
  readonly spec: HttpRouteSpec;
  readonly owner: VirtualService;
  readonly index: number;
}

/** VirtualServices that only others lead to: those without hosts, by `namespace/name`. */
export type Delegates = ReadonlyMap<string, VirtualService>;

export function delegatesOf(virtualServices: readonly VirtualService[]): Delegates {
  return new Map(
    virtualServices
      .filter(({ spec }) => !spec.hosts?.length)
      .map((one) => [`${one.namespace}/${one.name}`, one]),
  );
}

/** The delegate that a rule of `root` names; undefined where there is none that its namespace may use. */
export function delegateOf(
  { delegate }: HttpRouteSpec,
  root: VirtualService,
  delegates: Delegates,
): VirtualService | undefined {
  const found = delegates.get(delegateName(delegate, root));
  const visibleIn = found && visibilityOf(found.spec.exportTo, found.namespace);
  return visibleIn && !visibleIn.includes(root.namespace) ? undefined : found;
}

/** `namespace/name` of what a rule delegates to. */
export function delegateName(delegate: HttpRouteSpec["delegate"], { namespace }: VirtualService): string {
  return `${delegate?.namespace || namespace}/${delegate?.name ?? ""}`;
}

/**
 * The rules of a VirtualService in their order, each that delegates replaced by
 * the rules of its delegate that can apply within it. What those leave out the
 * rule above them says. As in Istio, a rule of the delegate one of whose matches
 * lies in none of the rule above is left out whole, and a rule whose delegate is
 * not there is none.
 *
 * @param onTooMany hears of rules that are left out because a delegate's matches
 * and the rule's would be more pairs than a VirtualService may have matches
 */
export function writtenRules(
  root: VirtualService,
  delegates: Delegates,
  onTooMany: (index: number) => void = () => {},
): WrittenRule[] {
  let pairs = 0;
  return (root.spec.http ?? []).flatMap((spec, index): WrittenRule[] => {
    if (!spec.delegate) return [{ spec, owner: root, index }];
    const owner = delegateOf(spec, root, delegates);
    const rules = owner?.spec.http ?? [];
    const above = Math.max(spec.match?.length ?? 0, 1);
    const own = rules.reduce((sum, { match }) => sum + Math.max(match?.length ?? 0, 1), 0);
    pairs += above * own;
    if (pairs > limits.matches) {
      onTooMany(index);
      return [];
    }
    return rules.flatMap((own, i) => {
      const match = matchesWithin(spec.match ?? [], own.match ?? []);
      return match ? { spec: inherited(spec, own, match), owner: owner!, index: i } : [];
    });
  });
}

function inherited(above: HttpRouteSpec, own: HttpRouteSpec, match: readonly HttpMatchSpec[]): HttpRouteSpec {
  const { match: _, delegate: _d, name, mirror, mirrors, ...rest } = above;
  const hasMirror = own.mirror !== undefined || own.mirrors !== undefined;
  const names = [name, own.name].filter(Boolean);
  return {
    ...rest,
    ...(hasMirror ? {} : { ...(mirror && { mirror }), ...(mirrors && { mirrors }) }),
    ...own,
    ...(names.length > 0 ? { name: names.join("-") } : {}),
    match,
  };
}

/** Undefined: one of the delegate's matches lies in none of the rule's. */
function matchesWithin(
  above: readonly HttpMatchSpec[],
  own: readonly HttpMatchSpec[],
): readonly HttpMatchSpec[] | undefined {
  if (above.length === 0) return own;
  if (own.length === 0) return above;
  const merged = own.map((narrow) =>
    above.filter((wide) => liesWithin(wide, narrow)).map((wide) => both(wide, narrow)),
  );
  return merged.every((found) => found.length > 0) ? merged.flat() : undefined;
}

const texts = ["uri", "scheme", "method", "authority"] as const;
const named = ["headers", "withoutHeaders", "queryParams"] as const;

function liesWithin(wide: HttpMatchSpec, narrow: HttpMatchSpec): boolean {
  return (
    texts.every((field) => isNarrower(wide[field], narrow[field])) &&
    named.every((field) =>
      Object.entries(narrow[field] ?? {}).every(([name, match]) => isNarrower(wide[field]?.[name], match)),
    ) &&
    (wide.ignoreUriCase ?? false) === (narrow.ignoreUriCase ?? false) &&
    (!wide.port || !narrow.port || wide.port === narrow.port)
  );
}

/** Of two texts only one of which is there, there is nothing to compare; two patterns are never compared. */
function isNarrower(wide: StringMatch | undefined, narrow: StringMatch | undefined): boolean {
  if (!wide || !narrow) return true;
  if (wide.exact !== undefined) return narrow.exact === wide.exact;
  const within = narrow.exact ?? narrow.prefix;
  return wide.prefix !== undefined && within?.startsWith(wide.prefix) === true;
}

function both(wide: HttpMatchSpec, narrow: HttpMatchSpec): HttpMatchSpec {
  const names = [wide.name, narrow.name].filter(Boolean);
  const merged = Object.fromEntries(
    named.map((field) => [field, { ...wide[field], ...narrow[field] }] as const),
  );
  return { ...wide, ...narrow, ...merged, ...(names.length > 0 ? { name: names.join("-") } : {}) };
}
