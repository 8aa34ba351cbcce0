import { createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { selectByServerName } from "../net/certificate-selection.ts";
import { type DomainRoots, readRoots } from "../net/domain-anchors.ts";
import type { TlsContextSource } from "../net/tls-plan.ts";
import { type SourcedName, sourcedKey } from "./sourced-name.ts";

/** Where a secret comes from and what it is called there: `static`, or a `ChosenSource.source`. */
export type SecretRef = SourcedName;

/** PEM material of one certificate. */
export interface CertificateMaterial {
  readonly chain: Buffer;
  readonly key: Buffer;
  readonly password: string | undefined;
}

/** PEM material to verify peers with. */
export interface TrustMaterial {
  readonly ca: Buffer;
  readonly crl: Buffer | undefined;
  /** Where each SPIFFE trust domain is verified under roots of its own; `ca` is made of them. */
  readonly domains?: readonly DomainRoots[];
}

/** The roots as they were given, PEM. */
export function givenRoots({ ca, domains }: TrustMaterial): Buffer {
  return domains ? Buffer.concat(domains.map(({ roots }) => roots)) : ca;
}

/** A secret as it arrived: one or the other. */
export type SecretMaterial =
  | { readonly kind: "certificate"; readonly certificate: CertificateMaterial }
  | { readonly kind: "trust"; readonly trust: TrustMaterial };

/** Everything a TLS context is made of; references are filled in when their secret arrives. */
export interface TlsMaterial {
  readonly options: Pick<
    SecureContextOptions,
    | "minVersion"
    | "maxVersion"
    | "ciphers"
    | "ecdhCurve"
    | "sigalgs"
    | "honorCipherOrder"
    | "secureOptions"
    | "sessionTimeout"
    | "ticketKeys"
  >;
  readonly certificates: readonly (CertificateMaterial | SecretRef)[];
  readonly trust: TrustMaterial | SecretRef | undefined;
}

interface Managed extends TlsContextSource {
  current: SecureContext | undefined;
  select: ((serverName: string) => SecureContext) | undefined;
  svidDomains: ReadonlySet<string> | undefined;
  generation: number;
  readonly material: TlsMaterial;
  readonly refs: ReadonlySet<string>;
}

/** `current` is undefined while a secret is missing. */
type Built = Pick<Managed, "current" | "select" | "svidDomains">;

const incomplete: Built = { current: undefined, select: undefined, svidDomains: undefined };

/**
 * Builds TLS contexts and rebuilds them when a secret is replaced. Equal
 * material shares one context, whatever refers to it: a sidecar with a thousand
 * upstream clusters keeps one.
 */
export class TlsContexts {
  readonly #sources = new Map<string, WeakRef<Managed>>();
  readonly #secrets = new Map<string, SecretMaterial>();
  readonly #onReady = new Set<() => void>();

  /** The context of this material. Throws with OpenSSL's reason when it cannot be built from what is known now. */
  source(material: TlsMaterial): TlsContextSource {
    const key = fingerprint(material);
    const existing = this.#sources.get(key)?.deref();
    if (existing) return existing;
    const parts = [...material.certificates, material.trust];
    const refs = new Set(parts.filter(isRef).map(sourcedKey));
    const managed: Managed = { ...this.#build(material), generation: 0, material, refs };
    this.#sources.set(key, new WeakRef(managed));
    return managed;
  }

  has(key: string): boolean {
    return this.#secrets.has(key);
  }

  /** The secrets in force by key: for `/config_dump`. */
  secrets(): Iterable<readonly [key: string, secret: SecretMaterial]> {
    return this.#secrets;
  }

  /**
   * Puts a secret in force everywhere at once. When any context cannot be built
   * with it, throws and leaves the former one in force.
   */
  setSecret(key: string, secret: SecretMaterial): void {
    const former = this.#secrets.get(key);
    this.#secrets.set(key, secret);
    const rebuilt: [Managed, Built][] = [];
    try {
      // Also one that nothing refers to yet must be sound.
      if (secret.kind === "certificate") createSecureContext(certificateOptions([secret.certificate]));
      else createSecureContext(trustOptions(secret.trust));
      for (const [id, reference] of this.#sources) {
        const managed = reference.deref();
        if (!managed) this.#sources.delete(id);
        else if (managed.refs.has(key)) rebuilt.push([managed, this.#build(managed.material)]);
      }
    } catch (error) {
      if (former) this.#secrets.set(key, former);
      else this.#secrets.delete(key);
      throw error;
    }
    for (const [managed, built] of rebuilt) {
      Object.assign(managed, built);
      managed.generation++;
    }
    for (const notify of this.#onReady) notify();
  }

  /** Forgets a secret nothing refers to any more. */
  removeSecret(key: string): void {
    this.#secrets.delete(key);
  }

  /** Calls back after every secret that takes effect. */
  onSecret(notify: () => void): void {
    this.#onReady.add(notify);
  }

  /** Certificates in force, from secrets and from files: for `/certs`. */
  *certificates(): Iterable<SecretMaterial> {
    yield* this.#secrets.values();
    for (const reference of this.#sources.values()) {
      const material = reference.deref()?.material;
      if (!material) continue;
      for (const part of material.certificates) {
        if (!isRef(part)) yield { kind: "certificate", certificate: part };
      }
      if (material.trust && !isRef(material.trust)) {
        yield { kind: "trust", trust: material.trust };
      }
    }
  }

  #build(material: TlsMaterial): Built {
    const certificates: CertificateMaterial[] = [];
    for (const part of material.certificates) {
      if (!isRef(part)) {
        certificates.push(part);
        continue;
      }
      const secret = this.#secrets.get(sourcedKey(part));
      if (!secret) return incomplete;
      if (secret.kind !== "certificate") throw new Error(`secret '${part.name}' is not a certificate`);
      certificates.push(secret.certificate);
    }
    let trust: TrustMaterial | undefined;
    if (material.trust && isRef(material.trust)) {
      const secret = this.#secrets.get(sourcedKey(material.trust));
      if (!secret) return incomplete;
      if (secret.kind !== "trust")
        throw new Error(`secret '${material.trust.name}' is not a validation context`);
      trust = secret.trust;
    } else {
      trust = material.trust;
    }
    const create = (chosen: readonly CertificateMaterial[]) =>
      createSecureContext({
        ...material.options,
        ...(chosen.length > 0 ? certificateOptions(chosen, trust?.domains) : {}),
        ...(trust ? trustOptions(trust) : {}),
      });
    const svidDomains = trust?.domains && new Set(trust.domains.map(({ name }) => name));
    if (certificates.length < 2) return { current: create(certificates), select: undefined, svidDomains };
    return { ...selectByServerName(certificates, create), svidDomains };
  }
}

function certificateOptions(
  certificates: readonly CertificateMaterial[],
  domains?: readonly DomainRoots[],
): SecureContextOptions {
  return {
    cert: certificates.map(({ chain }) => (domains ? withIssuer(chain, domains) : chain)),
    key: certificates.map(({ key, password }) => ({ pem: key, passphrase: password })),
  };
}

/** OpenSSL continues a chain of one certificate from the trust anchors, which here are not for others to see. */
function withIssuer(chain: Buffer, domains: readonly DomainRoots[]): Buffer {
  const [leaf, ...above] = readRoots(chain);
  if (above.length > 0) return chain;
  const roots = domains.flatMap((domain) => readRoots(domain.roots));
  const issuer = roots.find((root) => leaf!.checkIssued(root) && leaf!.verify(root.publicKey));
  return issuer ? Buffer.concat([chain, Buffer.from(`\n${issuer}`)]) : chain;
}

function trustOptions(trust: TrustMaterial): SecureContextOptions {
  return { ca: [trust.ca], crl: trust.crl };
}

function isRef(part: CertificateMaterial | TrustMaterial | SecretRef | undefined): part is SecretRef {
  return part !== undefined && "source" in part;
}

function fingerprint(material: TlsMaterial): string {
  const hash = createHash("sha256").update(JSON.stringify(material.options));
  for (const part of [...material.certificates, material.trust]) {
    if (!part) hash.update("-");
    else if (isRef(part)) hash.update(`ref ${sourcedKey(part)}\n`);
    else if ("chain" in part)
      hash
        .update(part.chain)
        .update(part.key)
        .update(part.password ?? "");
    else if (part.domains) {
      for (const { name, roots } of part.domains) hash.update(`domain ${name}\n`).update(roots);
    } else hash.update(part.ca).update(part.crl ?? "");
  }
  return hash.digest("base64");
}
