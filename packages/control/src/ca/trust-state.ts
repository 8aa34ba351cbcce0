import { messageOf, UserError } from "@weft/base/errors";
import { type Certificate, parseCertificates } from "@weft/identity/certificate";
import { completeChain } from "@weft/identity/complete-chain";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import {
  bundleVersion,
  formatTrustBundle,
  maxRoots,
  type TrustBundle,
  trustBundle,
} from "@weft/identity/trust-bundle";
import { parseChain, type SvidChain } from "@weft/identity/verify-svid";
import type { RootChange, RootState, RootStore } from "../store/root-store.ts";
import type { Signer } from "./signer.ts";

/** What the mesh trusts at one moment. */
export interface TrustView {
  /** For every member of the mesh; the root that issues comes first. */
  readonly bundle: TrustBundle;
  readonly bundlePem: string;
  /** Derived from the content: equal bundles have equal versions. */
  readonly version: string;
  /** The root that certificates come from. */
  readonly issuingRoot: Certificate;
  /**
   * From the issuing root back to the one before, for those who were away while
   * it was replaced: the issuing root's certificate by that one, and that one.
   */
  readonly wayBack: readonly Certificate[];
  /** Whose certificates the control plane takes from its callers: also of roots that are gone from the bundle. */
  readonly accepted: TrustBundle;
  /** Of these, roots whose key is in wrong hands: only what the log says was issued here is taken. */
  readonly suspects: ReadonlySet<string>;
}

/**
 * The roots of a trust domain and what each is for, as the store has them, and
 * who signs. Everything that depends on them asks here, and is told of changes.
 */
export class TrustState {
  readonly trustDomain: TrustDomain;
  readonly #store: RootStore;
  readonly #listeners = new Set<(view: TrustView) => void>();
  readonly #intermediates: Certificate[];
  #signer: Signer;
  #view: TrustView;

  /** @throws UserError when what is stored cannot be read. */
  constructor(options: {
    readonly trustDomain: TrustDomain;
    readonly store: RootStore;
    readonly signer: Signer;
  }) {
    this.trustDomain = options.trustDomain;
    this.#store = options.store;
    this.#signer = options.signer;
    this.#intermediates = options.store.intermediates().map(readCertificate);
    this.#view = this.#read();
  }

  get view(): TrustView {
    return this.#view;
  }

  get signer(): Signer {
    return this.#signer;
  }

  /** What a peer presented, continued with the signers known here. @throws SvidError */
  completed(chain: SvidChain): readonly Certificate[] {
    return completeChain(parseChain(chain), this.#intermediates);
  }

  /** Keeps what stands between a new leaf and its root, for as long as leaves of it may be presented. */
  remember(chain: readonly Certificate[], nowMs: number): void {
    for (const signer of chain.slice(1)) {
      const { facts, pem } = signer;
      if (facts.issuerName.equals(facts.subjectName)) continue;
      if (this.#intermediates.some((known) => known.pem === pem)) continue;
      this.#store.addIntermediate(pem, nowMs);
      this.#intermediates.push(signer);
    }
  }

  /** Changes what roots are for, and who signs, in one step that survives a crash; then tells everybody. */
  change(change: RootChange, signer: Signer = this.#signer): void {
    this.#store.change(change);
    this.#signer = signer;
    this.#view = this.#read();
    for (const listener of this.#listeners) listener(this.#view);
  }

  /** Calls back with each new view. Returns how to stop that. */
  onChange(listener: (view: TrustView) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #read(): TrustView {
    const stored = this.#store.list();
    const roots = (...states: readonly RootState[]) =>
      stored
        .filter(({ state }) => states.includes(state))
        .map((root) => readCertificate(root.certificatePem));
    const issuing = stored.find(({ state }) => state === "issuing");
    if (!issuing) throw new Error("no root issues");
    const issuingRoot = readCertificate(issuing.certificatePem);
    const bundle = trustBundle(this.trustDomain, [issuingRoot, ...roots("trusted", "suspect")]);
    const bundlePem = formatTrustBundle(bundle);
    const version = bundleVersion(bundle);
    const suspects = roots("suspect", "distrusted");
    const before = roots("trusted", "retired");
    const cross = issuing.crossPem === "" ? [] : [readCertificate(issuing.crossPem)];
    return {
      bundle,
      bundlePem,
      version,
      issuingRoot,
      wayBack: cross.flatMap((one) => {
        const signer = before.find(({ facts }) => facts.subjectName.equals(one.facts.issuerName));
        return signer ? [one, signer] : [];
      }),
      // The newest ones where there are many: a bundle is bounded.
      accepted: trustBundle(
        this.trustDomain,
        [...bundle.roots, ...roots("retired", "distrusted").toReversed()].slice(0, maxRoots),
      ),
      suspects: new Set(suspects.map(({ pem }) => pem)),
    };
  }
}

/** @throws UserError */
export function readCertificate(pem: string): Certificate {
  try {
    return parseCertificates(pem)[0]!;
  } catch (error) {
    throw unusableRoot(error);
  }
}

export function unusableRoot(cause: unknown): UserError {
  return new UserError(`the stored root certificate cannot be used: ${messageOf(cause)}`, {
    hint: "restore the state directory from a backup; with a new one, every workload joins anew",
    cause,
  });
}
