import { isGiven, type Snapshot, type XdsResource } from "../snapshot.ts";
import { changedNames, type ResourceMap } from "./changed-names.ts";
import type { PushStep } from "./push-order.ts";

/** Held version of a resource the client was told does not exist. */
const absent = "";
/** Held version of a resource that the client may or may not have taken. */
const doubtful = "?";
const noResources: ResourceMap = new Map();

/** What is known of one client and one type; times are wall-clock milliseconds. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  /** Names asked for, without those a wildcard covers. */
  readonly subscribed: number;
  /** Resources the client has been sent and not told to remove. */
  readonly held: number;
  readonly sentVersion: string;
  readonly sentNonce: string;
  readonly sentMs: number | undefined;
  readonly ackedVersion: string;
  readonly ackedMs: number | undefined;
  readonly nackedVersion: string;
  readonly nackedMs: number | undefined;
  /** Why the newest answered response was refused; undefined once a later one is accepted. */
  readonly error: string | undefined;
  /** A response waits for its ACK or NACK. */
  readonly isInFlight: boolean;
}

interface InFlight {
  readonly nonce: string;
  readonly version: string;
  readonly sentMs: number;
  /** What it takes of the budget of all clients. */
  readonly bytes: number;
}

/**
 * One type on one stream: what the client asked for, what it holds, what it
 * still has to be told, and what it said to the last response.
 *
 * Content that was refused counts as told, so that it is not pushed again
 * before it changes.
 *
 * What a client holds is kept as what differs from the snapshot looked at last:
 * thousands of clients that have what they should cost no map of versions each.
 */
export class TypeState {
  readonly typeUrl: string;
  isWildcard = false;
  /** The snapshot's: what is on demand has to be asked for by name. */
  isLearnt = false;
  /** State of the world: everything was asked for by giving no names, and none were given since. */
  isLegacyWildcard = false;
  readonly names = new Set<string>();
  /** What the client holds of the names it asked for, except for `#differing` and for what is to be sent. */
  #base: ResourceMap = noResources;
  /** Versions the client holds where they are not those of `#base`. */
  #differing = new Map<string, string>();
  /** To be sent, as of the newest snapshot looked at. */
  readonly toSend = new Map<string, XdsResource>();
  /** To be removed, with what the client holds where that is still known. */
  readonly toRemove = new Map<string, XdsResource | undefined>();
  /** The client asked for everything and waits for an answer even if it is empty. */
  owesAnswer = false;
  inFlight: InFlight | undefined;
  /** There is something to send that waits for the answer to what is in flight. */
  isHeldBack = false;
  #seen: ResourceMap | undefined;
  #isAllDirty = true;
  #hasDoubts = false;
  readonly #dirty = new Set<string>();
  #sent: InFlight | undefined;
  #answeredNonce = "";
  #ackedVersion = "";
  #ackedMs: number | undefined;
  #nackedVersion = "";
  #nackedMs: number | undefined;
  #error: string | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  /** What the client says it holds already, as a map that is nobody else's; a resource without a version it does not. */
  hold(versions: Map<string, string>): void {
    for (const [name, version] of versions) if (!version) versions.delete(name);
    this.#differing = versions;
  }

  /** Asks for a name; asking again gets it again. */
  subscribe(name: string, isHeld: boolean): void {
    const mayHold = this.#heldOf(name) !== undefined || this.#base.has(name);
    this.names.add(name);
    this.#dirty.add(name);
    if (!isHeld && mayHold) this.#differing.set(name, doubtful);
  }

  /** Makes what the client holds by this name be told again; false when it holds nothing. */
  repeat(name: string): boolean {
    const version = this.#heldOf(name);
    if (version === undefined || version === absent) return false;
    this.#differing.set(name, doubtful);
    this.#dirty.add(name);
    return true;
  }

  unsubscribe(name: string): void {
    const held = this.#heldOf(name);
    this.names.delete(name);
    if (!this.isWildcard) {
      this.#forget(name, held !== undefined);
      return;
    }
    // A wildcard may not bring it: then it is to be taken back.
    if (held !== undefined) this.#differing.set(name, held);
    this.#dirty.add(name);
  }

  setWildcard(isWildcard: boolean): void {
    if (this.isWildcard === isWildcard) return;
    this.#spellOut();
    this.isWildcard = isWildcard;
    this.#isAllDirty = true;
    if (isWildcard) return;
    for (const name of [...this.#differing.keys()]) if (!this.names.has(name)) this.#forget(name, true);
  }

  /** Tells everything again. */
  restart(): void {
    this.#base = noResources;
    this.#differing.clear();
    this.#isAllDirty = true;
    this.owesAnswer = true;
  }

  /** Brings `toSend` and `toRemove` up to the resources of a new snapshot. */
  lookAt({ byType, isLearnt = false }: Snapshot): void {
    const resources = byType.get(this.typeUrl) ?? noResources;
    if (isLearnt !== this.isLearnt) {
      this.#spellOut();
      this.isLearnt = isLearnt;
      this.#isAllDirty = true;
    }
    if (this.#seen === resources && !this.#isAllDirty && this.#dirty.size === 0) return;
    if (this.#isAllDirty || !this.#seen) this.#lookAtAll(resources);
    else {
      for (const name of changedNames(this.#seen, resources)) this.#compare(name, resources.get(name));
      this.#base = resources;
      for (const name of this.#dirty) this.#compare(name, resources.get(name));
    }
    this.#isAllDirty = false;
    this.#dirty.clear();
    this.#seen = resources;
  }

  /** True while a step has something to tell: the client holds something else than it should, or waits. */
  hasNews(phase: PushStep["phase"]): boolean {
    const hasUpdates = this.owesAnswer || this.toSend.size > 0;
    return (phase !== "remove" && hasUpdates) || (phase !== "update" && this.toRemove.size > 0);
  }

  /** The nonce of the newest response, answered or not; "" before the first. */
  get lastNonce(): string {
    return this.#sent?.nonce ?? "";
  }

  /** Whether what is to be sent is larger than this. */
  exceeds(bytes: number): boolean {
    let sum = 0;
    for (const { body } of this.toSend.values()) {
      sum += body.length;
      if (sum > bytes) return true;
    }
    return false;
  }

  /** Every resource the client should hold, from the snapshot looked at last. */
  *wanted(): Iterable<XdsResource> {
    if (!this.#seen) return;
    if (this.isWildcard) {
      for (const resource of this.#seen.values()) if (isGiven(this, resource, this)) yield resource;
      return;
    }
    for (const name of this.names) {
      const resource = this.#seen.get(name);
      if (resource) yield resource;
    }
  }

  /** What was to be sent has been written. */
  markSent(): void {
    this.owesAnswer = false;
    if (this.#differing.size > 0) for (const name of this.toSend.keys()) this.#differing.delete(name);
    this.toSend.clear();
  }

  /** The removals have been written. */
  markRemoved(): void {
    for (const name of this.toRemove.keys()) {
      if (this.names.has(name)) this.#differing.set(name, absent);
      else this.#differing.delete(name);
    }
    this.toRemove.clear();
  }

  /** A response has been written and is to be answered. */
  expectAnswer(sent: InFlight): void {
    this.inFlight = sent;
    this.isHeldBack = false;
    this.#sent = this.inFlight;
  }

  /**
   * Takes the client's answer to the newest response; undefined `error` is an
   * ACK. False when that response was answered before: state of the world
   * repeats its nonce in every later request.
   */
  answer(error: string | undefined, nowMs: number): boolean {
    if (!this.#sent || this.#answeredNonce === this.#sent.nonce) return false;
    this.#answeredNonce = this.#sent.nonce;
    this.#error = error;
    this.inFlight = undefined;
    this.#resolveDoubts();
    if (error === undefined) {
      this.#ackedVersion = this.#sent.version;
      this.#ackedMs = nowMs;
    } else {
      this.#nackedVersion = this.#sent.version;
      this.#nackedMs = nowMs;
    }
    return true;
  }

  get isAnswered(): boolean {
    return this.#ackedMs !== undefined || this.#nackedMs !== undefined;
  }

  get error(): string | undefined {
    return this.#error;
  }

  get status(): TypeStatus {
    const countHeld = () => this.#countHeld();
    return {
      typeUrl: this.typeUrl,
      isWildcard: this.isWildcard,
      subscribed: this.names.size,
      get held() {
        return countHeld();
      },
      sentVersion: this.#sent?.version ?? "",
      sentNonce: this.#sent?.nonce ?? "",
      sentMs: this.#sent?.sentMs,
      ackedVersion: this.#ackedVersion,
      ackedMs: this.#ackedMs,
      nackedVersion: this.#nackedVersion,
      nackedMs: this.#nackedMs,
      error: this.#error,
      isInFlight: this.inFlight !== undefined,
    };
  }

  #lookAtAll(resources: ResourceMap): void {
    this.#spellOut();
    this.toSend.clear();
    const held = this.#differing;
    if (this.isWildcard) resources.forEach((resource, name) => void this.#compare(name, resource));
    for (const name of this.names) {
      if (!this.isWildcard || !resources.has(name)) this.#compare(name, resources.get(name));
    }
    for (const name of held.keys()) {
      if (!this.names.has(name) && !(this.isWildcard && resources.has(name))) {
        this.#compare(name, resources.get(name));
      }
    }
    this.#base = resources;
    this.#differing = new Map();
    for (const [name, version] of held) {
      const resource = resources.get(name);
      if (!this.#covers(name, resource) || resource?.version !== version) this.#differing.set(name, version);
    }
  }

  /** Whether the client asked for what has this name. */
  #covers(name: string, resource: XdsResource | undefined): boolean {
    return resource ? isGiven(this, resource, this) : this.isWildcard || this.names.has(name);
  }

  /** The version the client holds; undefined where it holds none. */
  #heldOf(name: string): string | undefined {
    const version = this.#differing.size > 0 ? this.#differing.get(name) : undefined;
    if (version !== undefined) return version;
    const resource = this.#base.get(name);
    if (!resource || !isGiven(this, resource, this)) return undefined;
    return this.toSend.size > 0 && this.toSend.has(name) ? undefined : resource.version;
  }

  /** All that the client holds, by itself: before what it asks for changes altogether. */
  #spellOut(): void {
    const keep = (name: string) => {
      const version = this.#heldOf(name);
      if (version !== undefined) this.#differing.set(name, version);
    };
    if (this.isWildcard) for (const name of this.#base.keys()) keep(name);
    else if (this.#base.size > 0) for (const name of this.names) keep(name);
    this.#base = noResources;
  }

  #countHeld(): number {
    let held = 0;
    for (const name of this.isWildcard ? this.#base.keys() : this.names) {
      if (!this.#differing.has(name) && this.#heldOf(name) !== undefined) held += 1;
    }
    for (const version of this.#differing.values()) {
      if (version !== absent && version !== doubtful) held += 1;
    }
    return held;
  }

  /** Decides what is to be told of a name; the resource is that of the newest snapshot. */
  #compare(name: string, resource: XdsResource | undefined): void {
    const held = this.#heldOf(name);
    if (this.toSend.size > 0) this.toSend.delete(name);
    if (!this.#covers(name, resource)) {
      if (this.isWildcard && held !== undefined) this.#take(name, held);
      else this.toRemove.delete(name);
      return;
    }
    if (held !== undefined && held !== resource?.version) this.#differing.set(name, held);
    if (resource) {
      if (this.toRemove.size > 0) this.toRemove.delete(name);
      if (held !== resource.version) this.toSend.set(resource.name, resource);
      else if (this.#differing.size > 0) this.#differing.delete(name);
    } else if (held !== undefined ? held !== absent : this.names.has(name)) {
      if (!this.toRemove.has(name)) this.toRemove.set(name, this.#seen?.get(name));
    } else {
      // It came and went while the client was busy: nothing was told, nothing is to be taken back.
      this.toRemove.delete(name);
    }
  }

  /** What a wildcard brings no longer. */
  #take(name: string, held: string): void {
    this.#differing.set(name, held);
    if (held !== absent && !this.toRemove.has(name)) this.toRemove.set(name, this.#seen?.get(name));
  }

  /**
   * A response on its way may still bring the name, and the client ask for it
   * again before it comes: until that is answered nobody knows.
   */
  #forget(name: string, isHeld: boolean): void {
    if (this.inFlight && isHeld) {
      this.#differing.set(name, doubtful);
      this.#hasDoubts = true;
    } else this.#differing.delete(name);
    this.toSend.delete(name);
    this.toRemove.delete(name);
  }

  #resolveDoubts(): void {
    if (!this.#hasDoubts) return;
    this.#hasDoubts = false;
    for (const [name, version] of this.#differing) {
      if (version === doubtful && !this.#covers(name, this.#base.get(name))) this.#differing.delete(name);
    }
  }
}
