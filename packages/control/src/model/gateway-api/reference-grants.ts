import type { ResourceOf } from "../../config/resource.ts";

/** A reference from a resource to another one. */
export interface CrossReference {
  readonly from: { readonly group: string; readonly kind: string; readonly namespace: string };
  readonly to: {
    readonly group: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
  };
}

/**
 * Whether a reference is allowed: within one namespace always, into another one
 * if a ReferenceGrant there names where it comes from and what it is to.
 */
export function isReferenceGranted(
  { from, to }: CrossReference,
  grants: readonly ResourceOf<"ReferenceGrant">[],
): boolean {
  if (from.namespace === to.namespace) return true;
  return grants.some(
    ({ namespace, spec }) =>
      namespace === to.namespace &&
      spec.from.some(
        (f) => f.group === from.group && f.kind === from.kind && f.namespace === from.namespace,
      ) &&
      spec.to.some((t) => t.group === to.group && t.kind === to.kind && (t.name || to.name) === to.name),
  );
}
