import { createHash } from "node:crypto";
import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { formatSpiffeBundle, parseSpiffeBundle, type SpiffeBundle } from "@weft/identity/spiffe-bundle";
import { trustDomainId } from "@weft/identity/spiffe-id";
import { parseTrustBundle, type TrustBundle, trustBundle } from "@weft/identity/trust-bundle";
import type { FederationSource } from "../model/federation-source.ts";
import type { AuditEntry } from "../store/audit-entry.ts";
import type { BundleStore } from "../store/bundle-store.ts";
import { isSameContent, whyNotNewer } from "./supersedes.ts";

type Endpoint = FederationSource & Required<Pick<FederationSource, "endpoint">>;

export interface FederatedBundlesOptions {
  readonly clock: Clock;
  readonly store: BundleStore;
  /** The mesh's own, for endpoints that are known by an identity of it. */
  readonly own: () => TrustBundle;
  /** @throws Error */
  readonly fetch: (
    source: Endpoint,
    bundleOf: (trustDomain: string) => TrustBundle | undefined,
    signal: AbortSignal,
  ) => Promise<SpiffeBundle>;
  /** Keys are others than before. */
  readonly onChange: (bundle: SpiffeBundle) => void;
  /** After every attempt, with what went wrong. */
  readonly onFetched: (source: FederationSource, problem: string | undefined) => void;
  readonly random?: () => number;
}

/** Where a publisher hints at no other time. */
const defaultRefreshMs = 300_000;
const refreshBounds = { minMs: 1_000, maxMs: 24 * 3_600_000 };
/** Before the first answer; afterwards the next look is time enough (SPIFFE Federation §6.2). */
const retry = { baseMs: 1_000, maxMs: 60_000 };
const maxSources = 1_000;

interface Entry {
  readonly source: FederationSource;
  readonly backoff: Backoff;
  readonly abort: AbortController;
  bundle: SpiffeBundle | undefined;
  fetchedAtMs: number | undefined;
  changedAtMs: number | undefined;
  nextAtMs: number | undefined;
  problem: string | undefined;
  timer: Timer | undefined;
}

/** What is known of a trust domain, and how old it is. */
export type FederatedBundle = Readonly<
  Pick<Entry, "source" | "bundle" | "fetchedAtMs" | "changedAtMs" | "nextAtMs" | "problem">
>;

/**
 * The bundles of the trust domains that the mesh is federated with, fetched and
 * renewed as often as each hints. What was good last holds, over restarts too,
 * while there is nothing newer; what is older is refused.
 */
export class FederatedBundles {
  readonly #options: FederatedBundlesOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: FederatedBundlesOptions) {
    this.#options = options;
  }

  /** Of every trust domain of which anything is known. */
  get current(): readonly SpiffeBundle[] {
    return [...this.#entries.values()].flatMap(({ bundle }) => bundle ?? []);
  }

  get all(): readonly FederatedBundle[] {
    return [...this.#entries.values()];
  }

  /** Follows these sources, and no others from here on. True when what is known has changed by that. */
  follow(sources: readonly FederationSource[]): boolean {
    const { store } = this.#options;
    const wanted = new Map(
      sources.slice(0, maxSources).map((source) => [source.trustDomain as string, source]),
    );
    let isChanged = false;
    for (const [name, entry] of this.#entries) {
      const next = wanted.get(name);
      if (next && isSameSource(next, entry.source)) continue;
      stop(entry);
      this.#entries.delete(name);
      isChanged = true;
    }
    const stored = new Map(store.list().map((bundle) => [bundle.trustDomain, bundle]));
    for (const name of stored.keys()) if (!wanted.get(name)?.endpoint) store.forget(name);
    for (const source of sources.slice(maxSources)) {
      this.#options.onFetched(source, `more than ${maxSources} trust domains are not federated with`);
    }
    for (const [name, source] of wanted) {
      if (this.#entries.has(name)) continue;
      const kept = stored.get(name);
      this.#start(source, kept?.origin === originOf(source) ? kept : undefined);
      isChanged = true;
    }
    return isChanged;
  }

  close(): void {
    for (const entry of this.#entries.values()) stop(entry);
    this.#entries.clear();
  }

  #start(source: FederationSource, kept: ReturnType<BundleStore["list"]>[number] | undefined): void {
    const entry: Entry = {
      source,
      backoff: new Backoff({ ...retry, random: this.#options.random }),
      abort: new AbortController(),
      bundle: undefined,
      fetchedAtMs: kept?.fetchedAtMs,
      changedAtMs: kept?.changedAtMs,
      nextAtMs: undefined,
      problem: undefined,
      timer: undefined,
    };
    this.#entries.set(source.trustDomain, entry);
    try {
      entry.bundle = firstBundle(source, kept?.document);
    } catch (error) {
      entry.problem = `what is known cannot be read: ${messageOf(error)}`;
    }
    if (source.endpoint) void this.#refresh(entry, source as Endpoint);
  }

  async #refresh(entry: Entry, source: Endpoint): Promise<void> {
    const { clock, fetch, onFetched, onChange } = this.#options;
    let next: SpiffeBundle | undefined;
    let problem: string | undefined;
    try {
      next = await fetch(source, (trustDomain) => this.#bundleOf(trustDomain), entry.abort.signal);
      problem = entry.bundle && whyNotNewer(next, entry.bundle);
    } catch (error) {
      problem = messageOf(error);
    }
    if (entry.abort.signal.aborted) return;
    entry.problem = problem;
    const isNew = problem === undefined && !(entry.bundle && isSameContent(entry.bundle, next!));
    if (problem === undefined) this.#accept(entry, next!, isNew);
    const refreshMs = refreshOf(entry.bundle);
    const hasAnswered = problem === undefined || entry.fetchedAtMs !== undefined;
    const delayMs = hasAnswered ? refreshMs : Math.min(entry.backoff.nextMs(), refreshMs);
    entry.nextAtMs = clock.now() + delayMs;
    entry.timer = clock.setTimer(() => void this.#refresh(entry, source), delayMs);
    onFetched(source, problem);
    if (isNew) onChange(entry.bundle!);
  }

  #accept(entry: Entry, bundle: SpiffeBundle, isNew: boolean): void {
    const nowMs = this.#options.clock.now();
    entry.bundle = bundle;
    entry.fetchedAtMs = nowMs;
    if (isNew || entry.changedAtMs === undefined) entry.changedAtMs = nowMs;
    entry.backoff.reset();
    this.#options.store.put({
      trustDomain: bundle.trustDomain,
      document: formatSpiffeBundle(bundle),
      fetchedAtMs: nowMs,
      changedAtMs: entry.changedAtMs,
      origin: originOf(entry.source),
    });
  }

  #bundleOf(trustDomain: string): TrustBundle | undefined {
    const own = this.#options.own();
    if (trustDomain === own.trustDomain) return own;
    const bundle = this.#entries.get(trustDomain)?.bundle;
    return bundle && bundle.roots.length > 0 ? trustBundle(bundle.trustDomain, bundle.roots) : undefined;
  }
}

function firstBundle(source: FederationSource, kept: string | undefined): SpiffeBundle | undefined {
  const { trustDomain, pem, initial } = source;
  if (pem !== undefined) {
    const { roots } = parseTrustBundle(trustDomain, pem);
    return { trustDomain, roots, jwtKeys: [], sequence: undefined, refreshHintS: undefined };
  }
  const document = kept ?? initial;
  return document === undefined ? undefined : parseSpiffeBundle(trustDomain, document);
}

function refreshOf(bundle: SpiffeBundle | undefined): number {
  const { minMs, maxMs } = refreshBounds;
  const hint = bundle?.refreshHintS;
  return hint === undefined ? defaultRefreshMs : Math.min(Math.max(hint * 1000, minMs), maxMs);
}

/** Another bundle to begin with means that what was fetched after the old one is not believed any more. */
function originOf({ initial = "" }: FederationSource): string {
  return createHash("sha256").update(initial).digest("hex");
}

function isSameSource(a: FederationSource, b: FederationSource): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function stop(entry: Entry): void {
  entry.abort.abort();
  entry.timer?.cancel();
}

/** What the audit log says of a bundle with other keys. */
export function acceptedEntry({ trustDomain, sequence }: SpiffeBundle, nowMs: number): AuditEntry {
  return {
    atMs: nowMs,
    event: "bundle accepted",
    subject: trustDomainId(trustDomain),
    authorizedBy: "control plane",
    address: "",
    ...(sequence !== undefined && { serial: sequence.toString() }),
  };
}
