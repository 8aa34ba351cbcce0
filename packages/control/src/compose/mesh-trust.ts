import type { Clock } from "@weft/base/clock";
import type { Diagnostic } from "@weft/base/diagnostics";
import { formatBundleMap, type SpiffeBundle } from "@weft/identity/spiffe-bundle";
import type { TrustDomain } from "@weft/identity/spiffe-id";
import type { XdsResource } from "@weft/xds/snapshot";
import type { FederationStatus } from "../api/federation-protocol.ts";
import type { CaLog } from "../ca/ca-log.ts";
import type { CertificateAuthority } from "../ca/certificate-authority.ts";
import type { JwtKeys } from "../ca/jwt-keys.ts";
import type { ConfigResource } from "../config/resource.ts";
import { AddressGuard } from "../egress/address-guard.ts";
import { acceptedEntry, FederatedBundles } from "../federation/federated-bundles.ts";
import { federatedDomain, federationProblem } from "../federation/federation-status.ts";
import { fetchBundle } from "../federation/fetch-bundle.ts";
import { PublishedBundle } from "../federation/published-bundle.ts";
import type { JwksOptions } from "../jwks/key-fetch.ts";
import { federationSources } from "../model/federation.ts";
import type { MeshSettings } from "../model/options.ts";
import { trustSecrets } from "../snapshot/trust-secret.ts";
import type { Store } from "../store/store.ts";
import type { EventLog } from "./event-log.ts";

export interface FederationOptions {
  /** How bundles are fetched; by default from public addresses. */
  readonly fetching?: JwksOptions;
  /** How often others are to look for a newer bundle of this trust domain. Default a minute. */
  readonly refreshHintS?: number;
  /** Others do: a new root waits until they have seen it. */
  readonly isServed?: boolean;
}

export interface MeshTrustOptions {
  readonly authority: Pick<CertificateAuthority, "trust" | "trustDomain">;
  readonly jwtKeys: Pick<JwtKeys, "keySet" | "onChange">;
  readonly store: Pick<Store, "bundles" | "audit">;
  readonly settings: MeshSettings;
  readonly federation?: FederationOptions;
  readonly clock: Clock;
  readonly log: CaLog;
  readonly events: EventLog;
  /** Members are to be told something else than before. */
  readonly onChange: () => void;
}

/** For one document: names, connections, redirects. */
const bundleTimeoutMs = 10_000;
const defaultRefreshS = 60;
/** Who misses a look or two still knows a new root before it issues (SPIFFE Federation §4.1). */
const looksAhead = 3;

/**
 * Whom the mesh trusts: the roots and keys of its own trust domain and of those
 * it is federated with, as its members are told them and as others are told its own.
 */
export class MeshTrust {
  /** Where others fetch the bundle, once it is served. */
  endpoint: FederationStatus["endpoint"];
  readonly #options: MeshTrustOptions;
  readonly #federated: FederatedBundles;
  readonly #published: PublishedBundle;
  #secrets: ReadonlyMap<string, XdsResource>;

  constructor(options: MeshTrustOptions) {
    const { authority, jwtKeys, store, clock, federation } = options;
    this.#options = options;
    this.#federated = this.#openFederation(federation?.fetching ?? {});
    const refreshHintS = federation?.refreshHintS ?? defaultRefreshS;
    const { trust } = authority;
    this.#published = new PublishedBundle({ trust, jwtKeys, store: store.bundles, clock, refreshHintS });
    this.#secrets = this.#tell();
    trust.onChange(() => this.#changed());
    jwtKeys.onChange(() => this.#changed());
  }

  /** What agents are told. */
  get secrets(): ReadonlyMap<string, XdsResource> {
    return this.#secrets;
  }

  /** The bundle document of this trust domain. */
  get document(): string {
    return this.#published.document;
  }

  /** How long others need to be told of a new root; 0 where nobody fetches the bundle. */
  get outsidersMs(): number {
    const { refreshHintS = defaultRefreshS, isServed = false } = this.#options.federation ?? {};
    return isServed ? looksAhead * refreshHintS * 1000 : 0;
  }

  /** Follows the trust domains that these resources name. */
  follow(resources: readonly ConfigResource[]): void {
    if (this.#federated.follow(federationSources(resources, this.#options.settings))) this.#changed();
  }

  get status(): FederationStatus {
    const { authority, settings } = this.#options;
    return {
      trustDomain: authority.trustDomain,
      aliases: settings.trustDomainAliases ?? [],
      ...(this.endpoint && { endpoint: this.endpoint }),
      bundle: this.document,
      domains: this.#federated.all.map(federatedDomain),
    };
  }

  /** What is wrong with what is known of other trust domains. */
  get findings(): readonly Diagnostic[] {
    return this.#federated.all.map(federatedDomain).flatMap((domain) => {
      const message = federationProblem(domain);
      const hint = `'weft federation show ${domain.trustDomain}' says more`;
      return message === undefined ? [] : { code: "W2116", severity: "warning", message, hint };
    });
  }

  close(): void {
    this.#federated.close();
  }

  #openFederation({ allowed, caPem }: JwksOptions): FederatedBundles {
    const guard = new AddressGuard(allowed);
    const { clock, store, authority, log, events } = this.#options;
    return new FederatedBundles({
      clock,
      store: store.bundles,
      own: () => authority.trust.view.bundle,
      fetch: (source, bundleOf, signal) =>
        fetchBundle(source, {
          guard,
          caPem,
          timeoutMs: bundleTimeoutMs,
          nowMs: clock.now(),
          signal,
          bundleOf,
        }),
      onChange: (bundle) => this.#onBundle(bundle),
      onFetched: ({ trustDomain }, problem) => {
        if (problem === undefined) return;
        log.warn({ trustDomain }, `the bundle of ${trustDomain} could not be fetched: ${problem}`);
        events.add("federation", `${trustDomain}: ${problem}`);
      },
    });
  }

  #onBundle(bundle: SpiffeBundle): void {
    const { store, events, clock } = this.#options;
    store.audit.append(acceptedEntry(bundle, clock.now()));
    events.add("federation", `${bundle.trustDomain}: another bundle, with ${bundle.roots.length} roots`);
    this.#changed();
  }

  #changed(): void {
    this.#secrets = this.#tell();
    this.#options.onChange();
  }

  #tell(): ReadonlyMap<string, XdsResource> {
    const { authority, jwtKeys, settings } = this.#options;
    const bundles = this.#federated.current;
    const isOwn = (alias: string) => bundles.every(({ trustDomain }) => trustDomain !== alias);
    const aliases = ((settings.trustDomainAliases ?? []) as readonly TrustDomain[]).filter(isOwn);
    return trustSecrets(
      authority.trust.view.bundlePem,
      jwtKeys.keySet,
      formatBundleMap({ bundles, aliases }),
    );
  }
}
