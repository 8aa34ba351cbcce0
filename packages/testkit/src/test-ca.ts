import { generateKeyPairSync } from "node:crypto";
import {
  buildCertificate,
  buildName,
  type CertificateContent,
  emptyName,
} from "@weft/identity/build-certificate";
import type { Certificate } from "@weft/identity/certificate";
import { formatPrivateKey, type KeyPair, spkiOf } from "@weft/identity/key-pair";
import { keyUsages, oids } from "@weft/identity/oids";
import { type Issuer, issueIntermediate, issueRoot } from "@weft/identity/profiles";
import { parseTrustDomain, type TrustDomain } from "@weft/identity/spiffe-id";
import { type TrustBundle, trustBundle } from "@weft/identity/trust-bundle";

/** A certificate for a test, in the forms `node:tls`, files and assertions want. */
export interface TestSvid {
  readonly certificate: Certificate;
  readonly keys: KeyPair;
  readonly keyPem: string;
  /** Leaf first, root last. */
  readonly chainPem: string;
}

/** Everything an attack may vary; what is left out is as in a good certificate. */
export interface TestLeafOptions extends Partial<Omit<CertificateContent, "names">> {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** Signs instead of the authority. */
  readonly issuer?: Issuer;
  readonly keys?: KeyPair;
}

export interface TestCaOptions {
  readonly trustDomain?: string;
  /** When the authority starts: it is valid for ten years. Default: the wall clock, so that TLS accepts it. */
  readonly nowMs?: number;
  /** Leaves are issued by an intermediate and carry it in their chain. */
  readonly hasIntermediate?: boolean;
}

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** A certificate authority that also issues what no authority should. */
export class TestCa {
  readonly trustDomain: TrustDomain;
  readonly root: Certificate;
  readonly rootKeys: KeyPair;
  readonly bundle: TrustBundle;
  /** PEM of the root. */
  readonly bundlePem: string;
  readonly issuer: Issuer;
  readonly #nowMs: number;

  constructor(options: TestCaOptions = {}) {
    this.trustDomain = parseTrustDomain(options.trustDomain ?? "cluster.local");
    this.#nowMs = options.nowMs ?? Date.now();
    const validity = { notBeforeMs: this.#nowMs - hourMs, notAfterMs: this.#nowMs + 10 * yearMs };
    this.rootKeys = newKeyPair();
    this.root = issueRoot(this.rootKeys, this.trustDomain, validity);
    this.bundle = trustBundle(this.trustDomain, [this.root]);
    this.bundlePem = this.root.pem;
    const root = { certificate: this.root, privateKey: this.rootKeys.privateKey };
    this.issuer = options.hasIntermediate ? newIntermediate(root, this.trustDomain, validity) : root;
  }

  /** A certificate of `/ns/<namespace>/sa/<serviceAccount>`, valid for an hour, or varied by `options`. */
  leaf(namespace = "default", serviceAccount = "productpage", options: TestLeafOptions = {}): TestSvid {
    const keys = options.keys ?? newKeyPair();
    const issuer = options.issuer ?? this.issuer;
    const { uris, dnsNames, issuer: _issuer, keys: _keys, ...content } = options;
    const certificate = buildCertificate(
      {
        issuerName: issuer.certificate.facts.subjectName,
        subjectName: emptyName,
        spki: spkiOf(keys.publicKey),
        notBeforeMs: this.#nowMs - 30_000,
        notAfterMs: this.#nowMs + hourMs,
        names: {
          uris: uris ?? [`spiffe://${this.trustDomain}/ns/${namespace}/sa/${serviceAccount}`],
          dnsNames,
        },
        isCa: false,
        keyUsage: keyUsages.digitalSignature,
        extendedKeyUsages: [oids.serverAuth, oids.clientAuth],
        issuerKeyId: issuer.certificate.facts.keyId,
        ...content,
      },
      issuer.privateKey,
    );
    const signers = issuer.certificate === this.root ? [] : [issuer.certificate];
    return {
      certificate,
      keys,
      keyPem: formatPrivateKey(keys.privateKey),
      chainPem: [certificate, ...signers, this.root].map((one) => one.pem).join(""),
    };
  }

  /** One certificate of each kind that no part of the mesh may accept; all but what its name says is as in a good one. */
  badLeaves(): Readonly<Record<BadLeaf, TestSvid>> {
    const foreign = new TestCa({ trustDomain: this.trustDomain, nowMs: this.#nowMs });
    const victim = `spiffe://${this.trustDomain}/ns/default/sa/productpage`;
    const stolen = this.leaf("default", "ratings");
    const mayCertify = this.leaf(undefined, undefined, {
      keyUsage: keyUsages.digitalSignature | keyUsages.keyCertSign,
      // A name of its own, so that it can stand as an issuer in a chain.
      subjectName: buildName("Weft", "not an authority"),
    });
    return {
      expired: this.leaf(undefined, undefined, {
        notBeforeMs: this.#nowMs - 2 * hourMs,
        notAfterMs: this.#nowMs - hourMs,
      }),
      notYetValid: this.leaf(undefined, undefined, {
        notBeforeMs: this.#nowMs + hourMs,
        notAfterMs: this.#nowMs + 2 * hourMs,
      }),
      wrongTrustDomain: this.leaf(undefined, undefined, {
        uris: ["spiffe://evil.example/ns/default/sa/productpage"],
      }),
      caFlagged: this.leaf(undefined, undefined, { isCa: true }),
      mayCertify,
      sanLess: this.leaf(undefined, undefined, { uris: [] }),
      dnsOnly: this.leaf(undefined, undefined, {
        uris: [],
        dnsNames: ["productpage.default.svc.cluster.local"],
      }),
      twoSans: this.leaf(undefined, undefined, {
        uris: [victim, `spiffe://${this.trustDomain}/ns/default/sa/admin`],
      }),
      badId: this.leaf(undefined, undefined, { uris: [`spiffe://${this.trustDomain}/ns/../sa/productpage`] }),
      trustDomainOnly: this.leaf(undefined, undefined, { uris: [`spiffe://${this.trustDomain}`] }),
      clientOnly: this.leaf(undefined, undefined, { extendedKeyUsages: [oids.clientAuth] }),
      foreignRoot: foreign.leaf(),
      forgedSignature: this.leaf(undefined, undefined, {
        issuer: { certificate: this.root, privateKey: foreign.rootKeys.privateKey },
      }),
      signedByLeaf: this.leaf(undefined, undefined, {
        issuer: { certificate: stolen.certificate, privateKey: stolen.keys.privateKey },
        uris: [victim],
      }),
      signedByNonCa: this.leaf(undefined, undefined, {
        issuer: { certificate: mayCertify.certificate, privateKey: mayCertify.keys.privateKey },
        uris: [victim],
      }),
    };
  }
}

export type BadLeaf =
  | "expired"
  | "notYetValid"
  | "wrongTrustDomain"
  | "caFlagged"
  | "mayCertify"
  | "sanLess"
  | "dnsOnly"
  | "twoSans"
  | "badId"
  | "trustDomainOnly"
  | "clientOnly"
  | "foreignRoot"
  | "forgedSignature"
  | "signedByLeaf"
  | "signedByNonCa";

function newKeyPair(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function newIntermediate(
  root: Issuer,
  trustDomain: TrustDomain,
  validity: { readonly notBeforeMs: number; readonly notAfterMs: number },
): Issuer {
  const keys = newKeyPair();
  return {
    certificate: issueIntermediate(root, keys.publicKey, trustDomain, validity),
    privateKey: keys.privateKey,
  };
}
