import { trustKey } from "../../config/config-map.ts";
import type { ResourceOf } from "../../config/resource.ts";

/** A reference that leads nowhere, or may not be followed, by the reasons of the condition `ResolvedRefs`. */
export interface RefFault {
  readonly reason: string;
  readonly message: string;
  /** Of the reference in its resource. */
  readonly path: string;
}

/** A reference to certificates of authorities. */
export interface TrustRef {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** ConfigMaps by `namespace/name`. */
export type TrustByName = ReadonlyMap<string, ResourceOf<"ConfigMap">>;

export function trustByName(configMaps: readonly ResourceOf<"ConfigMap">[]): TrustByName {
  return new Map(configMaps.map((one) => [`${one.namespace}/${one.name}`, one]));
}

/** How references of one resource are followed, and what their faults are called there. */
export interface TrustLookup {
  readonly trust: TrustByName;
  /** Where a reference leads that names no namespace. */
  readonly namespace: string;
  readonly kindReason: "InvalidKind" | "InvalidCACertificateKind";
  /** Why a reference may not be followed; absent where all may. */
  readonly refusal?: (ref: Required<TrustRef>) => string | undefined;
}

/** The certificates that references lead to, as PEM in their order, and those that lead to none. */
export function resolveTrust(
  refs: readonly TrustRef[],
  path: string,
  { trust, namespace, kindReason, refusal }: TrustLookup,
): { readonly roots: readonly string[]; readonly faults: readonly RefFault[] } {
  const faults: RefFault[] = [];
  const roots = refs.flatMap((ref, i) => {
    const { group, kind, name, namespace: of = namespace } = ref;
    const fault = (reason: string, message: string) => {
      faults.push({ reason, message, path: `${path}[${i}]` });
      return [];
    };
    const refused = refusal?.({ group, kind, name, namespace: of });
    if (refused) return fault("RefNotPermitted", refused);
    if (group !== "" || kind !== "ConfigMap") {
      const what = `${kind}${group && ` (${group})`}`;
      return fault(kindReason, `${what} holds no certificates of authorities: write a ConfigMap`);
    }
    const found = trust.get(`${of}/${name}`)?.spec.data?.[trustKey];
    if (found !== undefined) return [found];
    return fault("InvalidCACertificateRef", `there is no ConfigMap ${of}/${name} with ${trustKey}`);
  });
  return { roots, faults };
}
