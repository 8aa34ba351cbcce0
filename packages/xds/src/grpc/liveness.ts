import type { Http2Session } from "node:http2";
import type { Clock, Timer } from "@weft/base/clock";

export interface LivenessOptions {
  /** How often a connection is asked. Default 2 s. */
  readonly intervalMs: number;
  /** A connection without calls is closed after this long. Default 60 s. */
  readonly idleMs: number;
}

interface Closeable {
  on(event: "close", run: () => void): unknown;
}

interface Watched {
  /** When it was asked what it has not answered; later than that where something else came since. */
  pingedMs: number | undefined;
  /** Received until the last round. */
  bytes: number;
  idleSinceMs: number | undefined;
}

/** So many that are silent at once, and most of all: then it is rather the way to them, or the machine. */
const manySilent = 16;
/** Rounds in which such silence is put up with. */
const maxForbearance = 5;

/**
 * Ends connections whose peer is silent though it is asked, within two
 * intervals, and those that carry no call for a while. Whatever comes from a
 * peer is a sign of life: an answer may have to wait behind much else.
 *
 * One timer for all connections. A round that comes late judges nobody: then it
 * was this process that did not listen. And where most are silent at once they
 * are given some rounds more: to end thousands of connections on a busy machine
 * makes thousands more work for it.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #options: LivenessOptions;
  readonly #sessions = new Map<Http2Session, Watched>();
  readonly #streams = new WeakMap<Http2Session, number>();
  readonly #silent = new WeakSet<Http2Session>();
  #timer: Timer | undefined;
  #lastRoundMs = 0;
  #forborne = 0;

  constructor(clock: Clock, options: Partial<LivenessOptions> = {}) {
    this.#clock = clock;
    this.#options = { intervalMs: 2_000, idleMs: 60_000, ...options };
  }

  get size(): number {
    return this.#sessions.size;
  }

  start(): void {
    this.#lastRoundMs = this.#clock.monotonicMs();
    this.#timer ??= this.#clock.setTimer(() => this.#round(), this.#options.intervalMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  add(session: Http2Session): void {
    this.#sessions.set(session, { pingedMs: undefined, bytes: 0, idleSinceMs: this.#clock.monotonicMs() });
    this.#streams.set(session, 0);
    session.on("close", () => this.#sessions.delete(session));
    session.on("stream", (stream: Closeable) => this.track(session, stream));
  }

  /** Counts a call, so that its connection is not idle. A server's calls are counted by themselves. */
  track(session: Http2Session, stream: Closeable): void {
    this.#count(session, 1);
    stream.on("close", () => this.#count(session, -1));
  }

  /** Whether a connection was ended because nothing came from its peer any more. */
  wasSilent(session: Http2Session): boolean {
    return this.#silent.has(session);
  }

  closeAll(): void {
    for (const session of this.#sessions.keys()) session.close();
  }

  /** Ends the connections that `isOver` says so of. */
  destroyWhere(isOver: (session: Http2Session) => boolean): void {
    for (const session of this.#sessions.keys()) if (isOver(session)) session.destroy();
  }

  destroyAll(): void {
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #count(session: Http2Session, by: number): void {
    const streams = (this.#streams.get(session) ?? 0) + by;
    this.#streams.set(session, streams);
    const watched = this.#sessions.get(session);
    if (watched) watched.idleSinceMs = streams === 0 ? this.#clock.monotonicMs() : undefined;
  }

  #round(): void {
    const nowMs = this.#clock.monotonicMs();
    const { intervalMs, idleMs } = this.#options;
    const isLate = nowMs - this.#lastRoundMs > intervalMs * 1.5;
    this.#lastRoundMs = nowMs;
    const silent: Http2Session[] = [];
    for (const [session, watched] of this.#sessions) {
      if (session.destroyed) continue;
      if (watched.idleSinceMs !== undefined && nowMs - watched.idleSinceMs >= idleMs) session.close();
      const bytes = session.socket?.bytesRead ?? 0;
      const isHeard = bytes !== watched.bytes;
      watched.bytes = bytes;
      if (watched.pingedMs === undefined) ping(session, watched, nowMs);
      else if (isHeard) watched.pingedMs = nowMs;
      else if (!isLate && nowMs - watched.pingedMs >= intervalMs * 0.9) silent.push(session);
    }
    const isGeneral = silent.length >= manySilent && silent.length * 2 > this.#sessions.size;
    this.#forborne = isGeneral ? this.#forborne + 1 : 0;
    if (this.#forborne === 0 || this.#forborne > maxForbearance) {
      for (const session of silent) {
        this.#silent.add(session);
        session.destroy();
      }
    }
    this.#timer = this.#clock.setTimer(() => this.#round(), intervalMs);
  }
}

function ping(session: Http2Session, watched: Watched, nowMs: number): void {
  watched.pingedMs = nowMs;
  session.ping((error) => {
    if (!error) watched.pingedMs = undefined;
  });
}
