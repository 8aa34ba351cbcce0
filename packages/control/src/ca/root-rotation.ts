import type { Clock, Timer } from "@weft/base/clock";
import { UserError } from "@weft/base/errors";
import { spkiPin } from "@weft/identity/certificate";
import type { RotationStatus } from "../api/protocol.ts";
import type { AuditEntry } from "../store/audit-entry.ts";
import { type AuditActor, type AuditLog, localActor, ownActor } from "../store/audit-log.ts";
import type { RootChange, RootState, RootStore, RotationPhase, StoredRotation } from "../store/root-store.ts";
import type { CaLog } from "./ca-log.ts";
import { makeRoot, rootEntry } from "./make-root.ts";
import { readIssuer } from "./open-trust.ts";
import { localSigner, type Signer } from "./signer.ts";
import { readCertificate, type TrustState } from "./trust-state.ts";

/** A workload, and what its data plane has acknowledged to use. */
export interface TrustHolder {
  readonly workload: string;
  /** False: registered, and its agent is away for a moment. */
  readonly isConnected: boolean;
  /** Version of the trust bundle. */
  readonly bundle?: string | undefined;
  /** SPKI pin of the root of its certificate. */
  readonly root?: string | undefined;
}

export interface RootRotationOptions {
  readonly trust: TrustState;
  readonly store: { readonly roots: RootStore; readonly audit: Pick<AuditLog, "append"> };
  readonly clock: Clock;
  readonly log: CaLog;
  /** Everybody that a phase waits for. */
  readonly holders: () => readonly TrustHolder[];
  /** Who signs for the rotation that is under way. */
  readonly successor?: Signer | undefined;
  /** How long others, who fetch the bundle, need to know a new root. Default 0: nobody fetches it. */
  readonly outsidersMs?: number;
}

const lookMs = 500;
/** Acknowledgements run ahead of the last handshake with what was before by no more than this. */
const settleMs = 1_000;
/** After a restart agents need a moment to come back before anybody can say that all have acknowledged. */
const restartMs = 10_000;
/** How long a forced rotation lets those that answer move to the new root before the old one is distrusted. */
const graceMs = 15_000;

/**
 * Replaces the issuing root without a failed call: prepare (the new root is
 * made), trust (everybody trusts both), issue (everybody gets a certificate of
 * the new one), retire (nobody trusts the old one any more). Each phase lasts
 * until every registered workload has acknowledged it; each is stored before it
 * takes effect, so that a killed control plane goes on where it was.
 *
 * Forced, nothing waits: the old root's key is in wrong hands.
 */
export class RootRotation {
  readonly #options: RootRotationOptions;
  #successor: Signer | undefined;
  #notBeforeMs: number;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: RootRotationOptions) {
    this.#options = options;
    this.#successor = options.successor;
    this.#notBeforeMs = options.clock.monotonicMs() + restartMs;
  }

  /** Goes on with what a start found under way. */
  resume(): void {
    this.#look();
  }

  /** @throws UserError when there is one under way, or the root is not the mesh's own. */
  async begin({ isForced }: { readonly isForced: boolean }, by: AuditActor = localActor): Promise<void> {
    const { trust, store, clock } = this.#options;
    const current = this.#underWay();
    if (current) return this.#force(current, isForced, by);
    const nowMs = clock.now();
    const issuing = store.roots.list().find(({ state }) => state === "issuing")!;
    if (issuing.privateKeyPem === "") {
      throw new UserError("the root of this mesh is the operator's: its key is not here", {
        hint: "restart with the new root beside the old one in --root-cert; when every proxy has it, change who issues",
      });
    }
    const before = readIssuer(issuing, nowMs);
    // A way back that the old root signed would be believed by those it is to be kept from.
    const { certificate, ...root } = await makeRoot(trust.trustDomain, clock, isForced ? undefined : before);
    trust.change({
      add: { ...root, state: "waiting" },
      begin: { fromPem: issuing.certificatePem, toPem: certificate.pem },
      step: { phase: "prepare", atMs: nowMs },
      force: isForced,
    });
    this.#record("root created", certificate.pem, by);
    this.#successor = localSigner(readIssuer({ ...root, state: "waiting" }, nowMs));
    this.#notBeforeMs = 0;
    this.#look();
  }

  /** The rotation under way, or the last one. */
  status(): RotationStatus | undefined {
    const rotation = this.#options.store.roots.rotation();
    if (!rotation) return undefined;
    const phase = phaseOf(rotation);
    const holders = phase === "done" ? [] : this.#options.holders();
    const waiting = holders.flatMap((holder) => {
      const why = this.#lacks(holder, phase);
      return why === undefined ? [] : [{ workload: holder.workload, why }];
    });
    const outsidersMs = this.#outsidersLeftMs(rotation);
    if (outsidersMs > 0) {
      const why = `they have ${Math.ceil(outsidersMs / 1000)} s more to fetch the bundle with the new root`;
      waiting.push({ workload: "federated trust domains", why });
    }
    return {
      phase,
      isForced: rotation.isForced,
      from: rootName(rotation.fromPem),
      to: rootName(rotation.toPem),
      steps: rotation.steps,
      acknowledged: holders.filter((holder) => this.#lacks(holder, phase) === undefined).length,
      waiting,
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #underWay(): StoredRotation | undefined {
    const rotation = this.#options.store.roots.rotation();
    return rotation && phaseOf(rotation) !== "done" ? rotation : undefined;
  }

  #force(current: StoredRotation, isForced: boolean, by: AuditActor): void {
    const phase = phaseOf(current);
    if (!isForced || current.isForced || phase === "retire") {
      throw new UserError(`a rotation of the root is under way, in phase ${phase}`, {
        hint: "'weft ca status' shows what it waits for",
      });
    }
    const states = new Map<string, RootState>(phase === "issue" ? [[current.fromPem, "suspect"]] : []);
    this.#options.trust.change({ force: true, states });
    this.#record("rotation forced", current.toPem, by);
    this.#look();
  }

  #look(): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    for (;;) {
      const rotation = this.#underWay();
      if (!rotation) return;
      const next = this.#next(rotation);
      if (!next) break;
      this.#enter(next, rotation);
    }
    this.#timer = this.#options.clock.setTimer(() => this.#look(), lookMs);
  }

  /** The phase whose time has come. */
  #next(rotation: StoredRotation): RotationPhase | undefined {
    switch (phaseOf(rotation)) {
      case "prepare":
        return rotation.isForced ? "issue" : "trust";
      case "trust":
        return rotation.isForced || this.#isAcknowledged(rotation) ? "issue" : undefined;
      case "issue":
        return this.#isAcknowledged(rotation) || this.#isOverdue(rotation) ? "retire" : undefined;
      case "retire":
        return this.#isAcknowledged(rotation) ? "done" : undefined;
      default:
        return undefined;
    }
  }

  #isOverdue({ isForced, steps }: StoredRotation): boolean {
    return isForced && this.#options.clock.now() - steps.at(-1)!.atMs >= graceMs;
  }

  #isAcknowledged(rotation: StoredRotation): boolean {
    const { clock, holders } = this.#options;
    if (clock.monotonicMs() < this.#notBeforeMs) return false;
    if (clock.now() - rotation.steps.at(-1)!.atMs < settleMs) return false;
    if (this.#outsidersLeftMs(rotation) > 0) return false;
    const phase = phaseOf(rotation);
    return holders().every((holder) => this.#lacks(holder, phase) === undefined);
  }

  /** Certificates of a new root are for those as well who are told of it by the bundle alone. */
  #outsidersLeftMs(rotation: StoredRotation): number {
    const { outsidersMs = 0, clock } = this.#options;
    if (phaseOf(rotation) !== "trust" || rotation.isForced) return 0;
    return rotation.steps.at(-1)!.atMs + outsidersMs - clock.now();
  }

  /** What a phase waits for at this workload. */
  #lacks(holder: TrustHolder, phase: RotationPhase): string | undefined {
    const { version, issuingRoot } = this.#options.trust.view;
    if (!holder.isConnected) return "its agent is away";
    if (holder.bundle !== version) return "it has not acknowledged the trust bundle";
    if (phase === "issue" && holder.root !== spkiPin(issuingRoot))
      return "it has no certificate of the new root yet";
    return undefined;
  }

  #enter(phase: RotationPhase, { fromPem, toPem, isForced }: StoredRotation): void {
    const { trust, clock, log } = this.#options;
    const step = { phase, atMs: clock.now() };
    const change = (states: readonly (readonly [string, RootState])[]): RootChange => ({
      step,
      states: new Map(states),
    });
    switch (phase) {
      case "trust":
        trust.change(change([[toPem, "trusted"]]));
        this.#record("root trusted", toPem);
        break;
      case "issue":
        trust.change(
          change([
            [fromPem, isForced ? "suspect" : "trusted"],
            [toPem, "issuing"],
          ]),
          this.#successor,
        );
        this.#record("root issues", toPem);
        break;
      case "retire":
        trust.change(change([[fromPem, isForced ? "distrusted" : "retired"]]));
        this.#record(isForced ? "root distrusted" : "root retired", fromPem);
        break;
      default:
        trust.change(change([]));
    }
    log.info({ phase, isForced }, `rotation of the root: ${phase}`);
  }

  #record(event: AuditEntry["event"], pem: string, by = ownActor): void {
    const { store, trust, clock } = this.#options;
    store.audit.append(rootEntry(event, readCertificate(pem), trust.trustDomain, clock.now(), by));
  }
}

function phaseOf({ steps }: StoredRotation): RotationPhase {
  return steps.at(-1)!.phase;
}

function rootName(pem: string): { readonly subject: string; readonly fingerprint: string } {
  const { x509 } = readCertificate(pem);
  return { subject: x509.subject.split("\n").join(", "), fingerprint: x509.fingerprint256 };
}
