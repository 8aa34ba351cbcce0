import type { Counter, Histogram, MetricFamily, MetricRegistry } from "@weft/base/metric-registry";
import type { DeliveryTrouble } from "@weft/xds/ads-server";
import type { SyncState } from "../api/protocol.ts";
import type { CertificateAnswer, RefusalCode } from "../ca/certificate-request.ts";

/** Istio's bounds, and finer ones below them: a small mesh converges in milliseconds. */
const timeBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 5, 10, 20, 30];
/** Istio's bounds, in bytes. */
const sizeBounds = [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000];

/** Of xDS, as metrics name them. */
const types = ["cds", "eds", "lds", "rds"] as const;

/** What gauges are read from when somebody scrapes. */
export interface PilotReadings {
  readonly proxies: number;
  readonly services: number;
  readonly virtualServices: number;
  readonly workloads: number;
  readonly notReadyWorkloads: number;
  readonly emptyServices: number;
  readonly configErrors: number;
  readonly rootExpirySeconds: number;
  /** Of the chain that issues: its earliest. */
  readonly chainExpirySeconds: number;
  readonly issuedCertificates: number;
  readonly uptimeSeconds: number;
  /** Sidecars and gateways by how far they are; states that none is in are 0. */
  readonly proxiesByState: Readonly<Record<SyncState, number>>;
  /** Until when each workload's certificate is valid, in seconds, by `NAME.NAMESPACE`. */
  readonly certificateExpiries: Iterable<readonly [workload: string, seconds: number]>;
}

/** Why a certificate was not issued, as Istio's authority counts it. */
const refusals: Readonly<Record<RefusalCode, string | undefined>> = {
  unauthenticated: "citadel_server_authentication_failure_count",
  "permission-denied": "citadel_server_authentication_failure_count",
  "invalid-argument": "citadel_server_csr_parsing_err_count",
  // Asked too often: no fault of the request's.
  "resource-exhausted": undefined,
  unavailable: undefined,
};

/**
 * The control plane's own metrics, under the names Istio's dashboards and
 * alerts use. docs/control-plane-metrics.md says of each of Istio's what it is here.
 */
export class PilotMetrics {
  readonly convergence: Histogram;
  readonly queueTime: Histogram;
  readonly pushTime: Histogram;
  readonly internalErrors: Counter;
  readonly registered: Counter;
  readonly refused: Counter;
  readonly unregistered: Counter;
  readonly #registry: MetricRegistry;
  readonly #pushes: MetricFamily<Counter>;
  readonly #sizes: MetricFamily<Histogram>;
  readonly #rejects: MetricFamily<Counter>;
  readonly #updates: MetricFamily<Counter>;
  readonly #triggers: MetricFamily<Counter>;
  readonly #troubles: Readonly<Record<DeliveryTrouble, MetricFamily<Counter>>>;
  readonly #keySetsFetched: Counter;
  readonly #keySetsFailed: Counter;
  readonly #requests: Counter;
  readonly #signFailures: Counter;
  readonly #refusals = new Map<string, Counter>();

  constructor(registry: MetricRegistry, version: string, read: () => PilotReadings) {
    this.#registry = registry;
    const count = (name: string, help: string) => registry.counter(name, help).with();
    const byType = (name: string, help: string) => registry.counter(name, help, ["type"]);
    const time = (name: string, help: string) => registry.histogram(name, help, timeBounds).with();
    this.#pushes = byType("pilot_xds_pushes", "xDS responses sent, by type.");
    this.#sizes = registry.histogram(
      "pilot_xds_config_size_bytes",
      "Bytes of xDS responses sent, by type.",
      sizeBounds,
      ["type"],
    );
    this.#rejects = byType("pilot_total_xds_rejects", "xDS responses that a proxy refused, by type.");
    this.#updates = byType("pilot_inbound_updates", "Changes of what the mesh is made of, by what changed.");
    this.#triggers = byType("pilot_push_triggers", "Pushes, by what asked for them.");
    this.#troubles = {
      "stale nonce": byType("pilot_xds_expired_nonce", "Answers to another response than the newest."),
      "held back": byType(
        "pilot_xds_delayed_pushes_total",
        "Responses that waited for the answer to the one before.",
      ),
      overdue: byType(
        "pilot_xds_delayed_push_timeouts_total",
        "Responses whose answer was waited for in vain, so that the next went out.",
      ),
      "not read": byType("pilot_xds_write_timeout", "Streams ended because their client does not read."),
    };
    // There from the start, so that the first of them is a rise.
    for (const family of [this.#rejects, ...Object.values(this.#troubles)]) {
      for (const type of types) family.with(type);
    }
    this.internalErrors = count(
      "pilot_total_xds_internal_errors",
      "Pushes that failed inside the control plane.",
    );
    this.#keySetsFetched = count(
      "pilot_jwks_resolver_network_fetch_success_total",
      "Key sets of token issuers fetched.",
    );
    this.#keySetsFailed = count(
      "pilot_jwks_resolver_network_fetch_fail_total",
      "Key sets that could not be fetched.",
    );
    this.convergence = time(
      "pilot_proxy_convergence_time",
      "Seconds from a change to its acknowledgement by the last proxy it concerns.",
    );
    this.queueTime = time(
      "pilot_proxy_queue_time",
      "Seconds from a change until what it means for a proxy is worked out.",
    );
    this.pushTime = time("pilot_xds_push_time", "Seconds to compute one push for all proxies.");
    this.registered = count("auto_registration_success_total", "Workloads registered.");
    this.refused = count("auto_registration_errors_total", "xDS clients that were refused.");
    this.unregistered = count("auto_registration_unregister_total", "Registered workloads that have left.");
    this.#requests = count("citadel_server_csr_count", "Certificate requests.");
    this.#signFailures = count(
      "citadel_server_csr_sign_err_count",
      "Certificate requests on which the authority failed.",
    );
    for (const name of Object.values(refusals)) {
      if (name && !this.#refusals.has(name)) {
        this.#refusals.set(name, count(name, "Certificate requests refused."));
      }
    }
    registry
      .gauge("istio_build", "Version of the control plane.", ["component", "tag"])
      .with("pilot", version)
      .set(1);
    this.#readAtScrape(version, read);
  }

  /** A response has been sent. @param type its short name in lower case */
  sent(type: string, bytes: number): void {
    this.#pushes.with(type).add();
    this.#sizes.with(type).observe(bytes);
  }

  rejected(type: string): void {
    this.#rejects.with(type).add();
  }

  troubled(type: string, trouble: DeliveryTrouble): void {
    this.#troubles[trouble].with(type).add();
  }

  changed(what: string): void {
    this.#updates.with(what).add();
  }

  pushed(reasons: Iterable<string>): void {
    for (const reason of reasons) this.#triggers.with(reason).add();
  }

  /** A certificate was asked for. Undefined: the authority failed. */
  certificateAsked(answer: CertificateAnswer | undefined): void {
    this.#requests.add();
    if (!answer) this.#signFailures.add();
    else if (!answer.isIssued) this.#refusals.get(refusals[answer.code] ?? "")?.add();
  }

  /** A key set was asked for. */
  keySetFetched(isGood: boolean): void {
    (isGood ? this.#keySetsFetched : this.#keySetsFailed).add();
  }

  /** The control plane serves, so many seconds after its process began. */
  started(seconds: number): void {
    const help = "Seconds from the start of the process until it was ready.";
    this.#registry.gauge("startup_duration_seconds", help).with().set(seconds);
  }

  #readAtScrape(version: string, read: () => PilotReadings): void {
    const registry = this.#registry;
    const gauge = (name: string, help: string) => registry.gauge(name, help).with();
    const xds = registry.gauge("pilot_xds", "Connected xDS clients.", ["version"]).with(version);
    const gauges = {
      services: gauge("pilot_services", "Services in the mesh."),
      virtualServices: gauge("pilot_virt_services", "VirtualServices in force."),
      workloads: gauge("weft_workloads", "Registered workloads."),
      notReadyWorkloads: gauge("pilot_endpoint_not_ready", "Registered workloads that are not healthy."),
      emptyServices: gauge("pilot_eds_no_instances", "Services without any endpoint."),
      configErrors: gauge("weft_config_errors", "Errors in the configuration in force."),
      rootExpirySeconds: gauge(
        "citadel_server_root_cert_expiry_timestamp",
        "When the root certificate expires, in seconds since the Unix epoch.",
      ),
      chainExpirySeconds: gauge(
        "citadel_server_cert_chain_expiry_timestamp",
        "When the first certificate of the issuing chain expires, in seconds since the Unix epoch.",
      ),
      uptimeSeconds: gauge("istiod_uptime_seconds", "Seconds since the control plane began."),
    } as const;
    const issued = registry
      .counter("citadel_server_success_cert_issuance_count", "Certificates issued.")
      .with();
    const states = registry.gauge("weft_proxies", "Sidecars and gateways, by how far they are.", ["state"]);
    const expiries = registry.gauge(
      "weft_certificate_expiry_timestamp_seconds",
      "When a workload's certificate expires, in seconds since the Unix epoch.",
      ["workload", "workload_namespace"],
    );
    registry.onCollect(() => {
      const now = read();
      xds.set(now.proxies);
      for (const name of Object.keys(gauges) as (keyof typeof gauges)[]) gauges[name].set(now[name]);
      issued.value = now.issuedCertificates;
      for (const [state, amount] of Object.entries(now.proxiesByState)) states.with(state).set(amount);
      for (const { labels } of [...expiries.series]) expiries.remove(...labels);
      for (const [id, seconds] of now.certificateExpiries)
        expiries.with(...nameAndNamespace(id)).set(seconds);
    });
  }
}

/** `NAME.NAMESPACE` in its parts; a namespace has no dot. */
function nameAndNamespace(workloadId: string): [string, string] {
  const dot = workloadId.lastIndexOf(".");
  return [workloadId.slice(0, dot), workloadId.slice(dot + 1)];
}
