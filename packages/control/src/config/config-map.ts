/** A Kubernetes ConfigMap, of which only what verifies certificates is the mesh's business. */
export interface ConfigMapSpec {
  readonly data?: Readonly<Record<string, string>>;
}

/** Where the Gateway API has the certificates of authorities, as PEM. */
export const trustKey = "ca.crt";

export function holdsTrust({ data = {} }: ConfigMapSpec): boolean {
  return Object.hasOwn(data, trustKey);
}
