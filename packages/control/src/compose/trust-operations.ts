import { actorOf, type Caller } from "../api/caller.ts";
import type { CaStatus, CreatedToken, CreateTokenRequest, RevocationRecord } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { RevokeRequest } from "../ca/revocations.ts";
import type { RootRotation } from "../ca/root-rotation.ts";
import type { EventLog } from "./event-log.ts";

export interface TrustOperationsOptions {
  readonly authority: Pick<CertificateAuthority, "caStatus" | "revocations" | "createToken" | "revokeToken">;
  readonly rotation: Pick<RootRotation, "begin" | "status">;
  readonly events: EventLog;
}

/** What operators do about who is trusted, each told among the events and in the audit log. */
export class TrustOperations {
  readonly #parts: TrustOperationsOptions;

  constructor(options: TrustOperationsOptions) {
    this.#parts = options;
  }

  createToken(request: CreateTokenRequest, caller: Caller): CreatedToken {
    const created = this.#parts.authority.createToken(request, actorOf(caller));
    this.#parts.events.add("token", `token ${created.id} created for ${created.identity}`);
    return created;
  }

  /** @throws ApiRefusal when there is none */
  revokeToken(id: string, caller: Caller): void {
    if (!this.#parts.authority.revokeToken(id, actorOf(caller))) {
      throw new ApiRefusal(404, {
        error: `there is no token ${id}`,
        hint: "'weft token list' shows all of them",
      });
    }
    this.#parts.events.add("token", `token ${id} revoked`);
  }

  status(): CaStatus {
    const rotation = this.#parts.rotation.status();
    return { ...this.#parts.authority.caStatus(), ...(rotation && { rotation }) };
  }

  revoke(request: RevokeRequest, caller: Caller): RevocationRecord {
    const revocation = this.#parts.authority.revocations.revoke(request, actorOf(caller));
    this.#parts.events.add("ca", `${revocation.kind} ${revocation.value} revoked`);
    return revocation;
  }

  async rotateRoot(options: { readonly isForced: boolean }, caller: Caller): Promise<CaStatus> {
    const { rotation, events } = this.#parts;
    await rotation.begin(options, actorOf(caller));
    events.add("ca", `${options.isForced ? "forced " : ""}rotation of the root began`);
    return this.status();
  }
}
