import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { type Clock, systemClock } from "@weft/base/clock";
import { MeshError, messageOf, UserError } from "@weft/base/errors";
import { parseTrustDomain, type TrustDomain } from "@weft/identity/spiffe-id";
import { controlPlaneSpiffeId } from "@weft/identity/workload-id";
import pino from "pino";
import { authenticateHere, requireThisMachine } from "./access/dashboard-session.ts";
import { serveApi } from "./api/serve-api.ts";
import { type ApiServer, startApiServer } from "./api/server.ts";
import type { CaLog } from "./ca/ca-log.ts";
import { openCertificateAuthority } from "./ca/certificate-authority.ts";
import type { IssuingFiles } from "./ca/issuing-files.ts";
import { JwtKeys } from "./ca/jwt-keys.ts";
import { JwtSvidIssuer } from "./ca/jwt-svid-issuer.ts";
import type { ServiceAccountOptions } from "./ca/kubernetes/token-reviewer.ts";
import type { ServingCertificate, ServingKeyPair } from "./ca/serving-certificate.ts";
import type { StepCaOptions } from "./ca/step-ca-signer.ts";
import { Composition } from "./compose/composition.ts";
import { type HttpEndpoints, startHttpEndpoints } from "./compose/http-endpoints.ts";
import type { DashboardSource } from "./compose/mesh-dashboard.ts";
import type { FederationOptions } from "./compose/mesh-trust.ts";
import type { CanaryReach } from "./compose/outward.ts";
import { ownWorkload } from "./compose/own-workload.ts";
import { readMeshConfig } from "./compose/read-mesh-config.ts";
import { openRemoteApi, type RemoteApi, type RemoteApiOptions } from "./compose/remote-api.ts";
import { type BundleEndpointOptions, startBundleEndpoint } from "./federation/bundle-endpoint.ts";
import { scrapeTargets } from "./inspect/scrape-targets.ts";
import type { JwksOptions } from "./jwks/key-fetch.ts";
import type { ExplainHeader } from "./model/mesh-options.ts";
import { operatorsOf } from "./serve/client-status-routes.ts";
import { GrpcListeners } from "./serve/grpc-listeners.ts";
import { openOperatorSocket } from "./serve/operator-socket.ts";
import { openStore } from "./store/open-store.ts";

export interface ControlPlaneOptions {
  readonly stateDir: string;
  /** Directory of YAML to watch, beside what is applied through the API. */
  readonly configDir?: string;
  readonly trustDomain: string;
  /** Where agents and sidecars connect. */
  readonly address: string;
  /** xDS, certificates and metrics over TLS; 0 takes a free port, as for the others. */
  readonly port: number;
  /** Plain xDS, which only looks; undefined: none. */
  readonly plain?: { readonly address: string; readonly port: number };
  readonly httpAddress: string;
  readonly httpPort: number;
  readonly certificateTtlMs?: number;
  /** An authority the operator brings, as files; read at each start. */
  readonly issuingFiles?: IssuingFiles;
  /** Or one elsewhere that signs. */
  readonly stepCa?: StepCaOptions;
  /** Kubernetes service accounts whose pods may join; undefined: none. */
  readonly serviceAccounts?: ServiceAccountOptions;
  /** How long after its end a certificate may still be renewed by its key; 0: not at all. */
  readonly renewExpiredMs?: number;
  /** Istio's MeshConfig as YAML, read at each start. */
  readonly meshConfigFile?: string;
  /** The API for operators elsewhere, with the dashboard; undefined: only for this machine. */
  readonly remoteApi?: RemoteApiOptions;
  /** Who is told in `x-weft-explain` what decided about answers of data planes. Default: nobody. */
  readonly explainHeader?: ExplainHeader;
  /** Undefined: there is no dashboard. */
  readonly dashboard?: DashboardSource;
  /** Whether proxies that can are given only what they ask for, where no Sidecar says what they use. Default true. */
  readonly learnsScope?: boolean;
  /** How the keys of token issuers are fetched. */
  readonly jwks?: JwksOptions;
  /** Where webhooks, metrics and alerts of rollouts may be; by default at public addresses, over TLS. */
  readonly canary?: CanaryReach;
  /** Other trust domains: how their bundles are fetched, and where they fetch this one's. */
  readonly federation?: Omit<FederationOptions, "isServed"> & {
    readonly endpoint?: Pick<BundleEndpointOptions, "address" | "port" | "web">;
  };
  readonly version: string;
  /** Default: JSON lines on stderr. */
  readonly log?: CaLog;
  /** Default the system's clock. */
  readonly clock?: Clock;
}

export interface ControlPlane {
  readonly port: number;
  readonly plainPort: number | undefined;
  readonly httpPort: number;
  /** Undefined where there is no API for others. */
  readonly apiPort: number | undefined;
  /** Where the bundle is served; undefined where it is not. */
  readonly federationPort: number | undefined;
  readonly socketPath: string;
  /** Where gRPC tools of this machine may ask for the state of every client (CSDS). */
  readonly operatorSocket: string;
  /** Stops taking changes, tells clients to go, and keeps everything for the next start. */
  close(): Promise<void>;
}

/** How long a start waits for the keys of token issuers: until then a restart would refuse their tokens. */
const keysPatienceMs = 5000;

/** How long clients get to leave by themselves. */
const closeGraceMs = 500;

/**
 * Starts a control plane on a state directory: what was applied, registered and
 * issued before is there again, however the last one ended.
 *
 * @throws UserError for everything a person can put right; nothing is left running then.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { stateDir, log = stderrLog(), clock = systemClock } = options;
  const trustDomain = trustDomainOf(options.trustDomain);
  const meshConfig = readMeshConfig(options.meshConfigFile, log);
  const { explainHeader = "off" } = options;
  const settings = { ...meshConfig, meshDefaults: { ...meshConfig.meshDefaults, explainHeader } };
  const opened: (() => Promise<void> | void)[] = [];
  const onClose = (close: () => Promise<void> | void): void => void opened.unshift(close);
  const closeAll = async (): Promise<void> => {
    for (const close of opened.splice(0)) await close();
  };
  try {
    const store = openStore({ directory: stateDir, trustDomain, clock });
    onClose(() => store.close());
    const authority = await openCertificateAuthority({
      store,
      trustDomain,
      clock,
      log,
      certificateTtlMs: options.certificateTtlMs,
      issuingFiles: options.issuingFiles,
      stepCa: options.stepCa,
      serviceAccounts: options.serviceAccounts,
      renewExpiredMs: options.renewExpiredMs,
    });
    const jwtKeys = await JwtKeys.open(store.jwtKeys, clock, log);
    onClose(() => jwtKeys.close());
    const jwtSvids = new JwtSvidIssuer({ keys: jwtKeys, audit: store.audit, trustDomain, clock });
    const plane = new Composition({
      ...options,
      federation: { ...options.federation, isServed: options.federation?.endpoint !== undefined },
      settings,
      log,
      clock,
      trustDomain,
      store,
      authority,
      jwtKeys,
    });
    onClose(() => plane.close());
    await plane.keysKnown(keysPatienceMs);
    const serving = await firstCertificate(() => authority.openServingCertificate());
    onClose(() => serving.close());
    const listeners = await openListeners(plane, serving, jwtSvids, options, clock);
    onClose(() => listeners.close(closeGraceMs));
    const federationPort = await openBundleEndpoint(plane, serving, options, clock, onClose);
    const http = await openHttp(plane, jwtKeys, options);
    onClose(() => http.close());
    plane.httpOrigin = `http://${reachableHere(options.httpAddress)}:${http.port}`;
    const api = await openApi(plane, options);
    onClose(() => api.close());
    const remote = await openRemote(plane, serving, options, { clock, log });
    onClose(() => remote?.close());
    const operators = await openOperatorSocket({
      path: operatorSocketOf(stateDir),
      clock,
      clientStatus: plane.clientStatus,
      onError: plane.onError,
    });
    onClose(() => operators.close());
    plane.start();
    return {
      port: listeners.securePort,
      plainPort: listeners.plainPort,
      httpPort: http.port,
      apiPort: remote?.port,
      federationPort,
      socketPath: socketPathOf(stateDir),
      operatorSocket: operatorSocketOf(stateDir),
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The first certificate is the first that anybody signs: what is wrong with the signer shows here. */
async function firstCertificate<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new UserError(error.message, {
      hint: "see that the certificate authority is reached, and may issue for this trust domain",
      cause: error,
    });
  }
}

async function openListeners(
  plane: Composition,
  serving: ServingCertificate,
  jwtSvids: JwtSvidIssuer,
  options: ControlPlaneOptions,
  clock: Clock,
): Promise<GrpcListeners> {
  const { authority } = plane;
  const tls = ({ keyPem, chainPem }: ServingKeyPair) => ({
    key: keyPem,
    certificateChain: chainPem,
    trustBundle: authority.trust.view.bundlePem,
  });
  const prefixOf = ({ address, port }: { address?: string; port?: number }): string =>
    address === options.plain?.address && port === options.plain?.port ? "plain-" : "";
  const listeners = await namingFlags(prefixOf, () =>
    GrpcListeners.open({
      clock,
      plain: options.plain && { host: options.plain.address, port: options.plain.port },
      secure: { host: options.address, port: options.port },
      tls: tls(serving.current),
      ads: plane.ads,
      identifyPeer: (chain) => authority.identifyPeer(chain),
      createCertificate: (request) => plane.createCertificate(request),
      issueJwtSvid: (ask) => jwtSvids.issue(ask),
      takeMetrics: plane.takeMetrics,
      requests: plane.requests,
      admitAgent: (instance, peer) => ownWorkload(plane.registry, instance, peer).id,
      clientStatus: plane.clientStatus,
      admitOperator: operatorsOf(plane.rootNamespace),
      onError: plane.onError,
    }),
  );
  serving.onChange((next) => listeners.setTls(tls(next)));
  authority.trust.onChange(() => listeners.setTls(tls(serving.current)));
  authority.revocations.onRevoked((identity) => listeners.drop(identity));
  return listeners;
}

async function openBundleEndpoint(
  plane: Composition,
  serving: ServingCertificate,
  { federation }: ControlPlaneOptions,
  clock: Clock,
  onClose: (close: () => Promise<void>) => void,
): Promise<number | undefined> {
  if (!federation?.endpoint) return undefined;
  const { address, web } = federation.endpoint;
  const document = () => plane.trust.document;
  const options = { ...federation.endpoint, serving, document, clock, onError: plane.onError };
  const endpoint = await namingFlags(
    () => "federation-",
    () => startBundleEndpoint(options),
  );
  onClose(() => endpoint.close());
  const spiffeId = controlPlaneSpiffeId(plane.authority.trustDomain);
  plane.trust.endpoint = {
    address,
    port: endpoint.port,
    ...(web ? { profile: "https_web" } : { profile: "https_spiffe", spiffeId }),
  };
  return endpoint.port;
}

function openHttp(
  plane: Composition,
  jwtKeys: JwtKeys,
  { httpAddress, httpPort, dashboard }: ControlPlaneOptions,
): Promise<HttpEndpoints> {
  const neighbours = dashboard?.neighbours;
  const admit = (request: IncomingMessage) => requireThisMachine(request, neighbours);
  const authenticate = (request: IncomingMessage) => authenticateHere(request, plane.sessions, neighbours);
  const originOf = () => plane.httpOrigin;
  return namingFlags(
    () => "http-",
    () =>
      startHttpEndpoints({
        address: httpAddress,
        port: httpPort,
        metrics: plane.metricRegistry,
        notReady: () => (plane.isStarted ? undefined : "starting or stopping"),
        keySet: () => jwtKeys.keySet,
        scrapeTargets: (controlPlane) =>
          scrapeTargets(controlPlane, plane.rootNamespace, plane.registry.workloads.values()),
        dashboard: plane.dashboard.serve({ admit, authenticate }),
        api: serveApi({
          backend: plane.api,
          authenticate,
          originOf,
          record: plane.record,
          logError: plane.onError,
        }),
      }),
  );
}

function openApi(plane: Composition, { stateDir }: ControlPlaneOptions): Promise<ApiServer> {
  return startApiServer({
    socketPath: socketPathOf(stateDir),
    backend: plane.api,
    record: plane.record,
    logError: plane.onError,
  });
}

function openRemote(
  plane: Composition,
  serving: ServingCertificate,
  { remoteApi, jwks }: ControlPlaneOptions,
  { clock, log }: { readonly clock: Clock; readonly log: CaLog },
): Promise<RemoteApi> | undefined {
  if (!remoteApi) return undefined;
  return openRemoteApi(remoteApi, { plane, serving, clock, log, jwks });
}

/** Where this machine itself reaches what listens on an address, as part of a URL. */
function reachableHere(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return address.includes(":") ? `[${address}]` : address;
}

/** Says which flag to change when an address cannot be had. */
async function namingFlags<T>(
  prefixOf: (refused: { readonly address?: string; readonly port?: number }) => string,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const cause = (error.cause ?? {}) as NodeJS.ErrnoException & { address?: string; port?: number };
    const flag = `--${prefixOf(cause)}${cause.code === "EADDRNOTAVAIL" ? "address" : "port"}`;
    throw new UserError(error.message, {
      hint: `${error.hint} with ${flag}`,
      exitCode: error.exitCode,
      cause: error.cause,
    });
  }
}

function socketPathOf(stateDir: string): string {
  return join(stateDir, "api.sock");
}

function operatorSocketOf(stateDir: string): string {
  return join(stateDir, "xds.sock");
}

function stderrLog(): CaLog {
  return pino({ base: undefined }, pino.destination({ dest: 2, sync: true }));
}

function trustDomainOf(text: string): TrustDomain {
  try {
    return parseTrustDomain(text);
  } catch (error) {
    throw new UserError(`--trust-domain: ${messageOf(error)}`, {
      hint: "use a DNS name such as cluster.local",
      exitCode: 2,
      cause: error,
    });
  }
}
