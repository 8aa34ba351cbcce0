import { PrivateText } from "./private-text.ts";

/** A Kubernetes Secret as it is written. */
export interface SecretSpec {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
  /** Plain text, which goes before `data`. */
  readonly stringData?: Readonly<Record<string, string>>;
}

/** What a gateway needs of a Secret, as PEM: a certificate with its key, what verifies clients, or both. */
export interface TlsSecretSpec {
  readonly certificate: { readonly chain: string; readonly key: PrivateText } | undefined;
  readonly trust: { readonly ca: string; readonly crl: string | undefined } | undefined;
}

/** The keys of `kubernetes.io/tls`, and those of Istio's generic Secrets. */
export const secretKeys = {
  chain: ["tls.crt", "cert"],
  key: ["tls.key", "key"],
  ca: ["ca.crt", "cacert"],
  crl: ["ca.crl", "crl"],
} as const;

export type SecretPart = keyof typeof secretKeys;

export interface FoundPart {
  readonly key: string;
  readonly field: "data" | "stringData";
  /** As written. */
  readonly written: string;
  readonly text: string;
}

/** Where a part is, by the first of its keys that is there. */
export function findPart(spec: SecretSpec, part: SecretPart): FoundPart | undefined {
  for (const key of secretKeys[part]) {
    for (const field of ["stringData", "data"] as const) {
      const written = spec[field]?.[key];
      if (written === undefined) continue;
      const text = field === "data" ? Buffer.from(written, "base64").toString("latin1") : written;
      return { key, field, written, text };
    }
  }
  return undefined;
}

/** Whether a Secret is one that a gateway could serve: all others are none of the mesh's business. */
export function holdsTls(spec: SecretSpec): boolean {
  const { type = "Opaque" } = spec;
  if (type === "kubernetes.io/tls") return true;
  if (type !== "Opaque" && !type.startsWith("istio.io/")) return false;
  const hasPair = findPart(spec, "chain") !== undefined && findPart(spec, "key") !== undefined;
  return hasPair || findPart(spec, "ca") !== undefined;
}

/** @param spec one that was checked */
export function readSecret(spec: SecretSpec): TlsSecretSpec {
  const chain = findPart(spec, "chain")?.text;
  const key = findPart(spec, "key")?.text;
  const ca = findPart(spec, "ca")?.text;
  return {
    certificate: chain && key ? { chain, key: new PrivateText(key) } : undefined,
    trust: ca ? { ca, crl: findPart(spec, "crl")?.text } : undefined,
  };
}
