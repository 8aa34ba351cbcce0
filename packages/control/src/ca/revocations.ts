import type { Clock } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { parseSpiffeId, type SpiffeId } from "@weft/identity/spiffe-id";
import { type AuditActor, type AuditLog, localActor } from "../store/audit-log.ts";
import type { Revocation, RevocationStore } from "../store/revocation-store.ts";
import type { TokenStore } from "../store/token-store.ts";

export interface RevocationsOptions {
  readonly store: RevocationStore;
  readonly audit: Pick<AuditLog, "append" | "issuance" | "issuedTo" | "find">;
  readonly tokens: Pick<TokenStore, "list" | "revoke" | "mayBeGateway" | "forgetGateway">;
  readonly clock: Clock;
  /** How long after its end a certificate may still be renewed. */
  readonly renewExpiredMs: number;
}

/** What an operator revokes. */
export type RevokeRequest = { readonly serial: string } | { readonly identity: string };

/** More than this at a time are no deny-list but a mesh to make anew. */
const maxRevocations = 100_000;
/** Of an identity: the newest certificate expires last. */
const oneIsEnough = 1;
/** A pod renews twice in the life of a certificate. */
const maxCertificatesOfPod = 10_000;

/**
 * Certificates that the control plane does not believe any more, though they
 * have not expired: their holders get no configuration, no renewal and no token.
 * Kept until the last certificate that it is about has expired, and can no longer be renewed.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #listeners = new Set<(identity: SpiffeId) => void>();
  #active: ReadonlyMap<string, Revocation>;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#active = this.#read();
  }

  /** Those that still matter, newest first. */
  get list(): readonly Revocation[] {
    const nowMs = this.#options.clock.now();
    return [...this.#active.values()].filter(({ untilMs }) => untilMs >= nowMs);
  }

  /** Why a certificate is not believed; undefined when it is. */
  problemOf(identity: SpiffeId, serial: string): string | undefined {
    if (this.#active.size === 0) return undefined;
    if (this.#active.has(`serial ${serial}`)) return "the certificate was revoked";
    const revoked = this.#active.get(`identity ${identity}`);
    if (!revoked) return undefined;
    // A workload that joined again by a new token is not the one that was shut out.
    const issued = this.#options.audit.issuance(serial);
    if (issued && issued.atMs > revoked.atMs) return undefined;
    return `what ${identity} had until ${new Date(revoked.atMs).toISOString()} was revoked`;
  }

  /** Whether an identity was revoked when it had certificates by this right, which still holds. */
  isShutOut(identity: SpiffeId, authorizedBy: string): boolean {
    const revoked = this.#active.get(`identity ${identity}`);
    if (!revoked) return false;
    const wanted = { event: "certificate issued", by: authorizedBy, limit: maxCertificatesOfPod };
    return this.#options.audit
      .find(wanted)
      .some(({ subject, atMs }) => subject === identity && atMs <= revoked.atMs);
  }

  /** Takes effect when it returns. @throws UserError when there is nothing to revoke */
  revoke(request: RevokeRequest, by: AuditActor = localActor): Revocation {
    const { store, audit, clock } = this.#options;
    if (this.#active.size >= maxRevocations) {
      throw new UserError(`there are ${maxRevocations} revocations already`, {
        hint: "rotate the root with 'weft ca rotate --force'",
      });
    }
    const atMs = clock.now();
    const { identity, revocation } =
      "serial" in request ? this.#bySerial(request.serial, atMs) : this.#byIdentity(request.identity, atMs);
    store.add(revocation);
    audit.append({
      atMs,
      event: `${revocation.kind === "serial" ? "certificate" : "identity"} revoked`,
      subject: identity,
      ...by,
      ...(revocation.kind === "serial" && { serial: revocation.value }),
      expiresAtMs: revocation.untilMs,
    });
    this.#active = this.#read();
    for (const listener of this.#listeners) listener(identity);
    return revocation;
  }

  /** Calls back with each identity of which something was revoked. */
  onRevoked(listener: (identity: SpiffeId) => void): void {
    this.#listeners.add(listener);
  }

  #bySerial(text: string, atMs: number) {
    const issued = serialForms(text).flatMap((serial) => this.#options.audit.issuance(serial) ?? [])[0];
    const untilMs = (issued?.expiresAtMs ?? 0) + this.#options.renewExpiredMs;
    if (!issued?.serial || untilMs <= atMs) {
      throw new UserError(`no certificate with the serial number ${text} is valid, or may be renewed`, {
        hint: "'weft proxy-config secrets WORKLOAD' shows those of a workload",
      });
    }
    const revocation: Revocation = { kind: "serial", value: issued.serial, atMs, untilMs };
    return { identity: issued.subject as SpiffeId, revocation };
  }

  #byIdentity(text: string, atMs: number) {
    const { audit, tokens, renewExpiredMs } = this.#options;
    const identity = parseIdentity(text);
    let hasToken = false;
    for (const token of tokens.list()) {
      const isUsable = !token.isRevoked && token.expiresAtMs > atMs && token.uses < token.maxUses;
      if (token.identity === identity && isUsable) hasToken = tokens.revoke(token.id, atMs);
    }
    const wasGateway = tokens.mayBeGateway(identity);
    tokens.forgetGateway(identity);
    const [newest] = audit.issuedTo(identity, atMs - renewExpiredMs, oneIsEnough);
    if (!newest && !hasToken && !wasGateway) {
      throw new UserError(`${identity} has no certificate that is valid, and no join token`, {
        hint: "'weft status' shows the identities in use",
      });
    }
    const untilMs = newest?.expiresAtMs === undefined ? atMs : newest.expiresAtMs + renewExpiredMs;
    return { identity, revocation: { kind: "identity", value: identity, atMs, untilMs } as const };
  }

  #read(): ReadonlyMap<string, Revocation> {
    const { store, clock } = this.#options;
    return new Map(store.list(clock.now()).map((one) => [`${one.kind} ${one.value}`, one]));
  }
}

/** As the log has it, and as openssl prints it: without the sign of DER's integer, with colons, in upper case. */
function serialForms(text: string): readonly string[] {
  const plain = text.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(plain)) {
    throw new UserError(`${JSON.stringify(text.slice(0, 80))} is not a serial number`, {
      hint: "write it in hexadecimal, as 'openssl x509 -noout -serial' prints it",
    });
  }
  return [plain, `00${plain}`, plain.replace(/^00/, "")];
}

function parseIdentity(text: string): SpiffeId {
  try {
    return parseSpiffeId(text);
  } catch (cause) {
    throw new UserError(`${JSON.stringify(text.slice(0, 80))} is not a SPIFFE ID`, {
      hint: "write it as spiffe://cluster.local/ns/default/sa/reviews",
      cause,
    });
  }
}
