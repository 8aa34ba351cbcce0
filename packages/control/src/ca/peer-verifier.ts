import type { Clock } from "@weft/base/clock";
import type { CertificateFacts } from "@weft/identity/certificate";
import type { SpiffeId } from "@weft/identity/spiffe-id";
import { type SvidChain, SvidError, verifySvidPath } from "@weft/identity/verify-svid";
import type { PeerIdentity } from "@weft/xds/grpc/grpc-peer";
import type { AuditLog } from "../store/audit-log.ts";
import { keyHash } from "./key-hash.ts";
import type { Revocations } from "./revocations.ts";
import type { TrustState } from "./trust-state.ts";

export interface PeerVerifierOptions {
  readonly trust: TrustState;
  readonly revocations: Revocations;
  readonly audit: Pick<AuditLog, "wasIssued">;
  readonly clock: Clock;
  /** How long after its end a certificate may still be renewed; 0: not at all. */
  readonly renewExpiredMs: number;
}

/** Says who presented a certificate to the control plane, by its trust, its log and its deny-list of now. */
export class PeerVerifier {
  readonly #options: PeerVerifierOptions;

  constructor(options: PeerVerifierOptions) {
    this.#options = options;
  }

  /** @throws SvidError */
  verify(chain: SvidChain): SpiffeId {
    return this.#verifyAt(chain, this.#options.clock.now()).id;
  }

  /**
   * The same with the certificate's number. One that has expired, not too long
   * ago, may be renewed where the log has it with its key: a host that slept past
   * its end comes back by itself. It is good for nothing else.
   *
   * @throws SvidError
   */
  identify(chain: SvidChain): PeerIdentity {
    const { trust, audit, clock, renewExpiredMs } = this.#options;
    const completed = trust.completed(chain);
    const nowMs = clock.now();
    try {
      const { id, leaf } = this.#verifyAt(completed, nowMs);
      return { spiffeId: id, serial: leaf.serial };
    } catch (error) {
      const endMs = completed[0]!.facts.notAfterMs;
      const isRecent = endMs < nowMs && nowMs - endMs <= renewExpiredMs;
      if (!(error instanceof SvidError) || error.reason !== "expired" || !isRecent) throw error;
      const { id, leaf } = this.#verifyAt(completed, endMs);
      const { serial, spki } = leaf;
      if (!audit.wasIssued({ subject: id, serial, keyHash: keyHash(spki) })) throw error;
      return { spiffeId: id, serial, expiry: error.message };
    }
  }

  #verifyAt(chain: SvidChain, atMs: number): { readonly id: SpiffeId; readonly leaf: CertificateFacts } {
    const { trust, revocations, audit } = this.#options;
    const { accepted, suspects } = trust.view;
    const { id, path } = verifySvidPath(trust.completed(chain), accepted, atMs);
    const leaf = path[0]!.facts;
    const { serial, spki } = leaf;
    const problem = revocations.problemOf(id, serial);
    if (problem) throw new SvidError("revoked", problem);
    // Whoever has the key of a suspect root can make a certificate, but not put it into the log.
    if (suspects.has(path.at(-1)!.pem) && !audit.wasIssued({ subject: id, serial, keyHash: keyHash(spki) })) {
      throw new SvidError("unknown-root", "the certificate is of a distrusted root, and was not issued here");
    }
    return { id, leaf };
  }
}
