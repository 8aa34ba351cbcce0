import type { Clock } from "@weft/base/clock";
import { MeshError, messageOf } from "@weft/base/errors";
import { type Certificate, spkiPin } from "@weft/identity/certificate";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import { CsrError, type VerifiedCsr, verifyCsr } from "@weft/identity/verify-csr";
import { type SvidChain, verifySvid } from "@weft/identity/verify-svid";
import type { PeerIdentity } from "@weft/xds/grpc/grpc-peer";
import type { CaStatus, CreatedToken, TokenList } from "../api/protocol.ts";
import type { AuditEntry } from "../store/audit-entry.ts";
import { type AuditActor, localActor } from "../store/audit-log.ts";
import type { Store } from "../store/store.ts";
import type { TokenUse, TokenVerdict } from "../store/token-store.ts";
import { CallerAuthenticator, shownBy } from "./authenticate-caller.ts";
import type { AuthenticatedCaller } from "./authenticated-caller.ts";
import type { CaLog } from "./ca-log.ts";
import {
  type CertificateAnswer,
  CertificateRefusal,
  type CertificateRequest,
  type IssuedCertificate,
} from "./certificate-request.ts";
import type { IssuingFiles } from "./issuing-files.ts";
import { JoinTokens, type NewToken } from "./join-tokens.ts";
import { keyHash } from "./key-hash.ts";
import { gatewayIdentities } from "./kubernetes/gateway-identities.ts";
import { ServiceAccountCallers } from "./kubernetes/service-account-callers.ts";
import { type ServiceAccountOptions, tokenReviewer } from "./kubernetes/token-reviewer.ts";
import { openTrust } from "./open-trust.ts";
import { PeerVerifier } from "./peer-verifier.ts";
import { type Rate, RateLimit } from "./rate-limit.ts";
import { Revocations } from "./revocations.ts";
import { ServingCertificate } from "./serving-certificate.ts";
import type { Signer, SignRequest } from "./signer.ts";
import type { StepCaOptions } from "./step-ca-signer.ts";
import type { TrustState } from "./trust-state.ts";
import { decideValidity, type ValidityPolicy, validityPolicy } from "./validity.ts";

export interface CertificateAuthorityOptions {
  readonly store: Pick<Store, "roots" | "tokens" | "audit" | "revocations">;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: CaLog;
  /** Life of a certificate, and the most a request may ask for. Default 24 hours. */
  readonly certificateTtlMs?: number;
  /** An authority the operator brings. Default: a root of the mesh's own, made on the first start. */
  readonly issuingFiles?: IssuingFiles;
  /** Or one elsewhere that signs. */
  readonly stepCa?: StepCaOptions;
  /** Kubernetes service accounts that may join. Default: none. */
  readonly serviceAccounts?: ServiceAccountOptions;
  /** How long after its end a certificate may still be renewed by its key. Default 30 days; 0: not at all. */
  readonly renewExpiredMs?: number;
  /** Certificates for one identity at one address. Default 20 per second after 200. */
  readonly issuanceRate?: Rate;
  /** Refused tokens from one address. Default 1 per second after 20. */
  readonly failureRate?: Rate;
  /** In [0, 1); for the jitter of renewals. */
  readonly random?: () => number;
}

const defaultRenewExpiredMs = 30 * 86_400_000;

interface Parts
  extends Required<
    Omit<
      CertificateAuthorityOptions,
      "certificateTtlMs" | "issuingFiles" | "stepCa" | "store" | "serviceAccounts"
    >
  > {
  readonly store: Pick<Store, "tokens" | "audit" | "revocations">;
  readonly policy: ValidityPolicy;
  readonly trust: TrustState;
  readonly successor?: Signer | undefined;
  readonly serviceAccounts: ServiceAccountOptions | undefined;
}

/**
 * The certificate authority of one trust domain. It certifies a key for an
 * identity when the caller proved both, verifies what was signed before it gives
 * it away, and records every certificate.
 */
export class CertificateAuthority {
  readonly trustDomain: TrustDomain;
  readonly trust: TrustState;
  readonly revocations: Revocations;
  readonly #parts: Parts;
  readonly #callers: CallerAuthenticator;
  readonly #tokens: JoinTokens;
  readonly #issuance: RateLimit;
  readonly #gateways: ReadonlySet<SpiffeId>;
  readonly #peers: PeerVerifier;
  #issued = 0;

  /** Who signs once the rotation that a start found under way issues from its new root. */
  readonly successor: Signer | undefined;

  /** Use `openCertificateAuthority`. */
  constructor(parts: Parts) {
    const { store, trustDomain, clock, log } = parts;
    this.#parts = parts;
    this.trustDomain = trustDomain;
    this.trust = parts.trust;
    const { audit, tokens, revocations } = store;
    const { renewExpiredMs, serviceAccounts } = parts;
    this.revocations = new Revocations({ store: revocations, audit, tokens, clock, renewExpiredMs });
    const { trust } = parts;
    this.#peers = new PeerVerifier({ trust, revocations: this.revocations, audit, clock, renewExpiredMs });
    this.#gateways = new Set(serviceAccounts && gatewayIdentities(serviceAccounts, trustDomain));
    this.successor = parts.successor;
    this.#issuance = new RateLimit(parts.issuanceRate);
    const failures = new RateLimit(parts.failureRate);
    this.#callers = new CallerAuthenticator({
      tokens: store.tokens,
      failures,
      trustDomain,
      clock,
      log,
      revocations: this.revocations,
      rightOf: (serial) => audit.issuance(serial)?.authorizedBy,
      accounts:
        serviceAccounts &&
        new ServiceAccountCallers({ review: tokenReviewer(serviceAccounts), trustDomain, log }),
    });
    // The last of what the control plane's own chain leads to: also for those who know only the root before.
    const pin = () => spkiPin(this.trust.view.wayBack.at(-1) ?? this.trust.view.issuingRoot);
    this.#tokens = new JoinTokens({ tokens: store.tokens, audit: store.audit, trustDomain, clock, pin });
  }

  /**
   * Answers a certificate request. A refusal changes nothing: a token that was
   * presented with a bad request still works.
   *
   * @throws MeshError when the signer failed: the caller may try again.
   */
  async createCertificate(request: CertificateRequest): Promise<CertificateAnswer> {
    try {
      return await this.#create(request);
    } catch (error) {
      if (!(error instanceof CertificateRefusal)) {
        this.#parts.log.error({ address: request.address }, messageOf(error));
        throw error;
      }
      this.#parts.log.info(
        { address: request.address, code: error.code },
        `a certificate request from ${request.address} was refused: ${error.message}`,
      );
      return { isIssued: false, code: error.code, message: error.message };
    }
  }

  /** Who presented this chain, by the current trust bundle. @throws SvidError */
  verifyPeer(chain: SvidChain): SpiffeId {
    return this.#peers.verify(chain);
  }

  /** The same for who may also only renew what has expired. @throws SvidError */
  identifyPeer(chain: SvidChain): PeerIdentity {
    return this.#peers.identify(chain);
  }

  /** The control plane's own certificate; the caller closes it. */
  openServingCertificate(): Promise<ServingCertificate> {
    const { trustDomain, clock, log, random, policy } = this.#parts;
    return ServingCertificate.open({
      trustDomain,
      clock,
      log,
      random,
      certify: async (request) => {
        const validity = decideValidity(0, policy, clock.now())!;
        const chain = await this.#sign({ ...request, ...validity });
        await this.#record(chain, { identity: request.spiffeId, authorizedBy: "control plane" }, "");
        return this.#toAnswer(request.spiffeId, chain, this.trust.view.wayBack);
      },
      onRootChange: (listener) => this.#onRootChange(listener),
    });
  }

  #onRootChange(listener: () => void): () => void {
    let issuing = this.trust.view.issuingRoot.pem;
    return this.trust.onChange(({ issuingRoot }) => {
      if (issuingRoot.pem === issuing) return;
      issuing = issuingRoot.pem;
      listener();
    });
  }

  /** @throws UserError */
  createToken(request: NewToken, by: AuditActor = localActor): CreatedToken {
    return this.#tokens.create(request, by);
  }

  listTokens(): TokenList {
    return this.#tokens.list();
  }

  /** False when there is no such token. */
  revokeToken(id: string, by: AuditActor = localActor): boolean {
    return this.#tokens.revoke(id, by);
  }

  /** Whether an identity was given leave to be a gateway, by a join token made for one or by the operator. */
  mayBeGateway(identity: SpiffeId): boolean {
    return this.#gateways.has(identity) || this.#parts.store.tokens.mayBeGateway(identity);
  }

  /** Certificates of an identity that are valid now, newest first. */
  issuedTo(identity: string, limit: number): readonly AuditEntry[] {
    return this.#parts.store.audit.issuedTo(identity, this.#parts.clock.now(), limit);
  }

  caStatus(): CaStatus {
    const { store, clock, policy } = this.#parts;
    const { issuingRoot: root, bundlePem } = this.trust.view;
    const { total, active } = store.audit.countIssued(clock.now());
    return {
      trustDomain: this.trustDomain,
      rootPem: root.pem,
      bundlePem,
      ...this.#issuerStatus(),
      rootFingerprint: root.x509.fingerprint256,
      rootSubject: subjectOf(root),
      rootNotBeforeMs: root.facts.notBeforeMs,
      rootNotAfterMs: root.facts.notAfterMs,
      certificateTtlSeconds: Math.round(policy.ttlMs / 1000),
      issued: this.#issued,
      revocations: this.revocations.list,
      issuedTotal: total,
      active,
    };
  }

  #issuerStatus(): Pick<CaStatus, "issuerSubject" | "issuerNotAfterMs"> {
    const { issuer } = this.trust.signer;
    if (!issuer) return {};
    return { issuerSubject: subjectOf(issuer), issuerNotAfterMs: issuer.facts.notAfterMs };
  }

  /** The chain, then every root: a workload's trust bundle. The root that issues is last, where Istio's agents look. */
  #toAnswer(
    spiffeId: SpiffeId,
    chain: readonly Certificate[],
    wayBack: readonly Certificate[] = [],
  ): IssuedCertificate {
    const { serial, notBeforeMs, notAfterMs } = chain[0]!.facts;
    const roots = this.trust.view.bundle.roots.toReversed();
    const path = chain.filter((one) => !roots.some((root) => root.pem === one.pem));
    return {
      isIssued: true,
      chainPem: [...new Set([...path, ...wayBack, ...roots].map(({ pem }) => pem))],
      spiffeId,
      serial,
      notBeforeMs,
      notAfterMs,
    };
  }

  async #create(request: CertificateRequest): Promise<CertificateAnswer> {
    const { clock, policy, store } = this.#parts;
    const { address } = request;
    // Who calls is settled first, so that strangers never reach the parsers below.
    const caller = await this.#callers.authenticate(request.auth, address);
    const csr = parseCsr(request.csrPem);
    this.#checkIdentity(csr.spiffeId, caller);
    const token = caller.token && { ...caller.token, keyHash: Buffer.from(keyHash(csr.spki), "hex") };
    if (token) this.#checkVerdict(store.tokens.judge(token), token, address);
    const validity = decideValidity(request.validitySeconds ?? 0, policy, clock.now());
    if (!validity) {
      throw new CertificateRefusal(
        "invalid-argument",
        "the validity is not a number of seconds; leave it out for the default",
      );
    }
    this.#limit(`${caller.identity} ${address}`);
    const { spiffeId, spki } = csr;
    const chain = await this.#sign({ csrPem: request.csrPem, spiffeId, spki, ...validity });
    // The certificate leaves this process only once the token is used up and the log has it.
    const verdict = await this.#record(chain, { ...caller, token }, address);
    if (verdict) this.#checkVerdict(verdict, token!, address);
    return this.#toAnswer(spiffeId, chain);
  }

  #checkIdentity(asked: SpiffeId, { identity, authorizedBy }: AuthenticatedCaller): void {
    if (asked === identity) return;
    throw new CertificateRefusal(
      "permission-denied",
      `the request is for ${asked}, but ${shownBy(authorizedBy)} is for ${identity}; check the trust domain, namespace and service account`,
    );
  }

  #checkVerdict(verdict: TokenVerdict, token: TokenUse, address: string): void {
    if (!verdict.isGood) throw this.#callers.refuseToken(token.id, verdict.fault, address);
  }

  #limit(caller: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const waitMs = this.#issuance.waitMs(caller, nowMs);
    if (waitMs > 0) {
      const message = `too many certificates were asked for; try again in ${Math.ceil(waitMs / 1000)} s`;
      throw new CertificateRefusal("resource-exhausted", message);
    }
    this.#issuance.take(caller, nowMs);
  }

  /** Signs, and verifies what was signed as any peer would. */
  async #sign(request: SignRequest): Promise<readonly Certificate[]> {
    try {
      const nowMs = this.#parts.clock.now();
      const chain = await this.trust.signer.sign(request);
      const id = verifySvid(chain, this.trust.view.bundle, nowMs);
      const { spki, notAfterMs } = chain[0]!.facts;
      if (id !== request.spiffeId) throw new Error(`it is for ${id}`);
      if (!spki.equals(request.spki)) throw new Error("it is for another key");
      if (notAfterMs > request.notAfterMs) throw new Error("it is valid for longer than was asked");
      this.trust.remember(chain, nowMs);
      return chain;
    } catch (error) {
      throw new MeshError(
        `a certificate for ${request.spiffeId} was not signed as it must be: ${messageOf(error)}`,
        {
          source: "internal",
          isRetrySafe: true,
          cause: error,
        },
      );
    }
  }

  async #record(
    [leaf]: readonly Certificate[],
    { identity, authorizedBy, token }: Omit<AuthenticatedCaller, "token"> & { readonly token?: TokenUse },
    address: string,
  ): Promise<TokenVerdict | undefined> {
    const { store, clock, log } = this.#parts;
    const { serial, spki, notAfterMs } = leaf!.facts;
    const verdict = await store.audit.recordIssuance(
      {
        atMs: clock.now(),
        event: "certificate issued",
        subject: identity,
        authorizedBy,
        address,
        serial,
        keyHash: keyHash(spki),
        expiresAtMs: notAfterMs,
      },
      token,
    );
    if (verdict?.isGood === false) return verdict;
    this.#issued += 1;
    log.info({ identity, authorizedBy, address, serial, notAfterMs }, `certificate issued to ${identity}`);
    return verdict;
  }
}

/**
 * Opens the certificate authority of a state directory, with a new root when
 * it has none.
 *
 * @throws UserError
 */
export async function openCertificateAuthority(
  options: CertificateAuthorityOptions,
): Promise<CertificateAuthority> {
  const { store, trustDomain, clock } = options;
  const policy = validityPolicy(options.certificateTtlMs);
  const { roots, audit } = store;
  const { trust, successor } = await openTrust({
    roots,
    audit,
    trustDomain,
    clock,
    files: options.issuingFiles,
    stepCa: options.stepCa,
  });
  return new CertificateAuthority({
    ...options,
    issuanceRate: options.issuanceRate ?? { perSecond: 20, burst: 200 },
    failureRate: options.failureRate ?? { perSecond: 1, burst: 20 },
    renewExpiredMs: options.renewExpiredMs ?? defaultRenewExpiredMs,
    serviceAccounts: options.serviceAccounts,
    random: options.random ?? Math.random,
    policy,
    trust,
    successor,
  });
}

function parseCsr(pem: string): VerifiedCsr {
  try {
    return verifyCsr(pem);
  } catch (error) {
    if (error instanceof CsrError) throw new CertificateRefusal("invalid-argument", error.message);
    throw error;
  }
}

function subjectOf({ x509 }: Certificate): string {
  return x509.subject.split("\n").join(", ");
}
