import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import type { Certificate } from "@weft/identity/certificate";
import { parsePrivateKey, spkiOf } from "@weft/identity/key-pair";
import { crossSign, type Issuer } from "@weft/identity/profiles";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import { type AuditLog, localActor, ownActor } from "../store/audit-log.ts";
import type { RootState, RootStore, StoredRoot } from "../store/root-store.ts";
import { type IssuingFiles, type LoadedIssuer, loadIssuingFiles, loadRoots } from "./issuing-files.ts";
import { makeRoot, rootEntry } from "./make-root.ts";
import { localSigner, type Signer } from "./signer.ts";
import { type StepCaOptions, stepCaSigner } from "./step-ca-signer.ts";
import { readCertificate, TrustState, unusableRoot } from "./trust-state.ts";

export interface TrustOptions {
  readonly roots: RootStore;
  readonly audit: Pick<AuditLog, "append">;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** An authority the operator brings; absent: one of the mesh's own. */
  readonly files?: IssuingFiles;
  /** One elsewhere. */
  readonly stepCa?: StepCaOptions;
}

export interface OpenedTrust {
  readonly trust: TrustState;
  /** Who signs once the rotation that is under way issues from its new root. */
  readonly successor?: Signer;
}

/**
 * The roots of a state directory and who signs. Without an authority of the
 * operator's the first start makes a root. Where the operator brings one to a
 * mesh that has made its own, a rotation to it begins.
 *
 * @throws UserError when what is stored, or what was given, cannot be used.
 */
export async function openTrust(options: TrustOptions): Promise<OpenedTrust> {
  const { roots: store, audit, trustDomain, clock, files, stepCa } = options;
  if (files) return openGiven(options, loadIssuingFiles(files, trustDomain, clock.now()));
  if (stepCa) return openElsewhere(options, stepCa);
  if (store.list().length === 0) {
    const { certificate, ...root } = await makeRoot(trustDomain, clock);
    store.change({ add: { ...root, state: "issuing" } });
    audit.append(rootEntry("root created", certificate, trustDomain, clock.now(), ownActor));
  }
  const signer = localSigner(storedIssuer(store, clock.now()));
  const next = rootUnderWay(store);
  const root = next === undefined ? undefined : store.list().find((one) => one.certificatePem === next);
  const trust = new TrustState({ trustDomain, store, signer });
  return root ? { trust, successor: localSigner(readIssuer(root, clock.now())) } : { trust };
}

/** Issues from files, or will when the mesh trusts their root. */
function openGiven(options: TrustOptions, { issuer, roots }: LoadedIssuer): OpenedTrust {
  const { roots: store, trustDomain, clock } = options;
  const isRoot = issuer.root.pem === issuer.certificate.pem;
  const signer = localSigner(issuer, isRoot ? [] : [...issuer.above, issuer.root]);
  refuseDistrusted(store, roots);
  const issuing = store.list().find(({ state }) => state === "issuing");
  const isTrusted = store
    .list()
    .some(
      ({ certificatePem, state }) =>
        certificatePem === issuer.root.pem && (state === "issuing" || state === "trusted"),
    );
  const isUnderWay = rootUnderWay(store) === issuer.root.pem;
  if (issuing && issuing.privateKeyPem !== "" && (isUnderWay || !isTrusted)) {
    const before = readIssuer(issuing, clock.now());
    if (!isUnderWay) beginRotation(options, issuer.root, before);
    return { trust: new TrustState({ trustDomain, store, signer: localSigner(before) }), successor: signer };
  }
  if (issuing && !isTrusted) {
    throw notTrusted(issuer.root);
  }
  takeRoots(options, issuer.root, roots);
  return { trust: new TrustState({ trustDomain, store, signer }) };
}

/** Has a service elsewhere sign. Its first root counts as the one that issues: what it signs is verified against all. */
function openElsewhere(options: TrustOptions, stepCa: StepCaOptions): OpenedTrust {
  const { roots: store, trustDomain, clock } = options;
  const roots = loadRoots(stepCa.root, trustDomain, clock.now());
  refuseDistrusted(store, roots);
  const before = store.list().filter(({ state }) => state === "issuing" || state === "trusted");
  const isKnown = before.some(({ certificatePem }) => roots.some(({ pem }) => pem === certificatePem));
  if (before.length > 0 && !isKnown) throw notTrusted(roots[0]!);
  const signer = stepCaSigner(stepCa, roots, clock);
  takeRoots(options, roots[0]!, roots);
  return { trust: new TrustState({ trustDomain, store, signer }) };
}

/** The operator's list of roots is the whole truth; the one above the issuer issues. */
function takeRoots(options: TrustOptions, issuing: Certificate, roots: readonly Certificate[]): void {
  const { roots: store, audit, trustDomain, clock } = options;
  const states = new Map<string, RootState>();
  const rotation = store.rotation();
  const replaced = rotation?.steps.at(-1)?.phase === "done" ? undefined : rotation?.fromPem;
  for (const { certificatePem, state } of store.list()) {
    // The rotation that is under way retires the root it replaces when its time has come.
    if (certificatePem === replaced) continue;
    if (state === "issuing" || state === "trusted") states.set(certificatePem, "retired");
  }
  for (const root of roots) {
    states.set(root.pem, root.pem === issuing.pem ? "issuing" : "trusted");
    if (store.list().some(({ certificatePem }) => certificatePem === root.pem)) continue;
    store.change({ add: operatorsRoot(root, clock) });
    audit.append(rootEntry("root added", root, trustDomain, clock.now(), localActor));
  }
  store.change({ states });
}

function beginRotation(
  { roots: store, audit, trustDomain, clock }: TrustOptions,
  root: Certificate,
  before: Issuer,
): void {
  const nowMs = clock.now();
  store.change({
    add: { ...operatorsRoot(root, clock), crossPem: crossSign(before, root).pem },
    begin: { fromPem: before.certificate.pem, toPem: root.pem },
    step: { phase: "prepare", atMs: nowMs },
  });
  audit.append(rootEntry("root added", root, trustDomain, nowMs, localActor));
}

function operatorsRoot({ pem }: Certificate, clock: Clock): StoredRoot {
  return { certificatePem: pem, privateKeyPem: "", state: "waiting", createdAtMs: clock.now(), crossPem: "" };
}

/** PEM of the root a rotation leads to that does not issue yet. */
function rootUnderWay(store: RootStore): string | undefined {
  const rotation = store.rotation();
  const phase = rotation?.steps.at(-1)?.phase;
  return phase === "prepare" || phase === "trust" ? rotation?.toPem : undefined;
}

function refuseDistrusted(store: RootStore, roots: readonly Certificate[]): void {
  const known = new Map(store.list().map(({ certificatePem, state }) => [certificatePem, state]));
  const distrusted = roots.find(({ pem }) => known.get(pem) === "distrusted" || known.get(pem) === "suspect");
  if (!distrusted) return;
  throw new UserError(`the root ${nameOf(distrusted)} is distrusted: its key is in wrong hands`, {
    hint: "remove it from --root-cert",
  });
}

/** @throws UserError */
function storedIssuer(store: RootStore, nowMs: number): Issuer {
  return readIssuer(store.list().find(({ state }) => state === "issuing")!, nowMs);
}

/** @throws UserError */
export function readIssuer(root: StoredRoot, nowMs: number): Issuer {
  if (root.privateKeyPem === "") {
    throw new UserError("the certificate authority of this state directory is the operator's", {
      hint: "start with the same --cacerts, --ca-cert or --step-ca, and what belongs to it, again",
    });
  }
  const certificate = readCertificate(root.certificatePem);
  try {
    const { privateKey, publicKey } = parsePrivateKey(root.privateKeyPem);
    if (!spkiOf(publicKey).equals(certificate.facts.spki))
      throw new Error("key and certificate do not match");
    if (nowMs > certificate.facts.notAfterMs) {
      throw new Error(`it expired at ${new Date(certificate.facts.notAfterMs).toISOString()}`);
    }
    return { certificate, privateKey };
  } catch (error) {
    throw unusableRoot(error);
  }
}

function notTrusted(root: Certificate): UserError {
  return new UserError(`the mesh of this state directory does not trust the root ${nameOf(root)} yet`, {
    hint: "first add it to --root-cert beside the root in use ('weft ca status -o pem' prints that one), keep issuing as before until every proxy has it, and then change who issues",
  });
}

function nameOf({ x509 }: Certificate): string {
  return `"${x509.subject.split("\n").join(", ")}"`;
}
