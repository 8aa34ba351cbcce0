import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { type Certificate, spkiPin } from "@weft/identity/certificate";
import { formatPrivateKey, generateKeyPair, parsePrivateKey, spkiOf } from "@weft/identity/key-pair";
import { backdateMs, type Issuer, issueRoot } from "@weft/identity/profiles";
import { type TrustDomain, trustDomainId } from "@weft/identity/spiffe-id";
import type { AuditLog } from "../store/audit-log.ts";
import type { RootState, RootStore, StoredRoot } from "../store/root-store.ts";
import { type IssuingFiles, type LoadedIssuer, loadIssuingFiles } from "./issuing-files.ts";
import { localSigner } from "./signer.ts";
import { readCertificate, TrustState, unusableRoot } from "./trust-state.ts";

const rootLifeMs = 10 * 365 * 86_400_000;

export interface TrustOptions {
  readonly roots: RootStore;
  readonly audit: Pick<AuditLog, "append">;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** An authority the operator brings; absent: one of the mesh's own. */
  readonly files?: IssuingFiles;
}

/**
 * The roots of a state directory and who signs. Without an authority of the
 * operator's the first start makes a root.
 *
 * @throws UserError when what is stored, or what was given, cannot be used.
 */
export async function openTrust(options: TrustOptions): Promise<TrustState> {
  const { roots: store, trustDomain, clock, files } = options;
  if (files) return openGiven(options, loadIssuingFiles(files, trustDomain, clock.now()));
  if (store.list().length === 0) await makeRoot(options, "issuing");
  const stored = store.list().find(({ state }) => state === "issuing")!;
  return new TrustState({ trustDomain, store, signer: localSigner(readIssuer(stored, clock.now())) });
}

/** A self-signed root with its key, kept in the store: ECDSA P-256, because every handshake of the mesh checks a signature of its key; valid for ten years. */
async function makeRoot(options: TrustOptions, state: RootState): Promise<Issuer> {
  const { roots, trustDomain, clock } = options;
  const keys = await generateKeyPair();
  const nowMs = clock.now();
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + rootLifeMs };
  const certificate = issueRoot(keys, trustDomain, validity);
  roots.add({
    certificatePem: certificate.pem,
    privateKeyPem: formatPrivateKey(keys.privateKey),
    state,
    createdAtMs: nowMs,
  });
  record(options, "root created", certificate);
  return { certificate, privateKey: keys.privateKey };
}

/** Issues from files from now on, where the mesh trusts their root already or nobody has joined it yet. */
function openGiven(options: TrustOptions, { issuer, roots }: LoadedIssuer): TrustState {
  const { roots: store, trustDomain, clock } = options;
  const before = store.list();
  const trusted = before.filter(({ state }) => state === "issuing" || state === "trusted");
  if (trusted.length > 0 && !trusted.some(({ certificatePem }) => certificatePem === issuer.root.pem)) {
    throw new UserError(
      `the mesh of this state directory does not trust the root "${subjectOf(issuer.root)}" yet`,
      {
        hint: "first add it to --root-cert beside the root in use ('weft ca status -o pem' prints that one), keep issuing as before until every proxy has it, and then change --ca-cert",
      },
    );
  }
  const distrusted = roots.find(({ pem }) =>
    before.some((one) => one.certificatePem === pem && one.state === "distrusted"),
  );
  if (distrusted) {
    throw new UserError(`the root "${subjectOf(distrusted)}" is distrusted: its key was compromised`, {
      hint: "remove it from --root-cert",
    });
  }
  const states = new Map(
    trusted.map(({ certificatePem }): [string, RootState] => [certificatePem, "retired"]),
  );
  for (const root of roots) {
    const state = root.pem === issuer.root.pem ? "issuing" : "trusted";
    if (!before.some(({ certificatePem }) => certificatePem === root.pem)) {
      store.add({ certificatePem: root.pem, privateKeyPem: "", state: "waiting", createdAtMs: clock.now() });
      record(options, "root added", root);
    }
    states.set(root.pem, state);
  }
  store.setStates(states);
  const isRoot = issuer.root.pem === issuer.certificate.pem;
  const above = isRoot ? [] : [...issuer.above, issuer.root];
  return new TrustState({ trustDomain, store, signer: localSigner(issuer, above) });
}

/** @throws UserError */
function readIssuer(root: StoredRoot, nowMs: number): Issuer {
  if (root.privateKeyPem === "") {
    throw new UserError("the certificate authority of this state directory was given as files", {
      hint: "start with the same --ca-cert, --ca-key, --ca-chain and --root-cert, or --cacerts, again",
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

function record(
  { audit, trustDomain, clock }: TrustOptions,
  event: "root created" | "root added",
  root: Certificate,
) {
  audit.append({
    atMs: clock.now(),
    event,
    subject: trustDomainId(trustDomain),
    authorizedBy: event === "root added" ? "operator" : "control plane",
    address: "",
    serial: root.facts.serial,
    keyHash: Buffer.from(spkiPin(root), "base64url").toString("hex"),
    expiresAtMs: root.facts.notAfterMs,
  });
}

function subjectOf({ x509 }: Certificate): string {
  return x509.subject.split("\n").join(", ");
}
