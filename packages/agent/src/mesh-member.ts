import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { parseTrustDomain, type SpiffeId } from "@weft/identity/spiffe-id";
import { workloadSpiffeId } from "@weft/identity/workload-id";
import type { WorkloadTemplate } from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import type { CleanupStack } from "./cleanup-stack.ts";
import { Registration } from "./control-plane/registration.ts";
import { NameKeeper, readKeptNames } from "./dns/kept-names.ts";
import type { MeshName } from "./dns/mesh-names.ts";
import { startWorkloadDns } from "./dns/workload-dns.ts";
import { controlPlaneTarget, type EnrolmentTarget } from "./enrolment/certificate-authority.ts";
import { ForeignBundles } from "./enrolment/foreign-bundles.ts";
import { IdentityFile } from "./enrolment/identity-file.ts";
import { IdentityKeeper } from "./enrolment/identity-keeper.ts";
import type { Svid } from "./enrolment/svid.ts";
import { hasIpv6 } from "./interception/has-ipv6.ts";
import { InterceptionWatch, readCounters } from "./interception/interception-watch.ts";
import { intercept } from "./interception/nft.ts";
import { addPassthroughSource } from "./interception/passthrough-source.ts";
import type { MemberOptions } from "./member-options.ts";
import { MetricsReporter } from "./metrics/metrics-reporter.ts";
import { ObserveClient } from "./observe/observe-client.ts";
import { prepareProxyless } from "./proxyless/prepare-proxyless.ts";
import { forgetKept, openRunDirectory } from "./run-directory.ts";
import { prepareSidecar } from "./sidecar/prepare-sidecar.ts";
import { ProxySettingsKeeper } from "./sidecar/proxy-settings.ts";
import { refuseTakenAddresses } from "./sidecar/taken-addresses.ts";
import { startWorkloadApi } from "./workload-api/workload-api.ts";
import { WorkloadState } from "./workload-api/workload-state.ts";
import { nodeCluster, nodeId, nodeMetadata, type WorkloadPlan } from "./workload-plan.ts";

/** A workload's place in the mesh: identity, sidecar, names and interception, all in service. */
export interface MeshMember {
  /** Undefined: the application is ready for traffic. Otherwise why not. */
  setHealth(problem: string | undefined): void;
  /** Asks peers to go elsewhere while requests in flight are finished. */
  drain(): Promise<void>;
  /** What its WorkloadGroup says; undefined without one, and before it is known. */
  readonly template: () => WorkloadTemplate | undefined;
  /** What the application is told: where the Workload API is, and what it needs to be its own data plane. */
  readonly env: Readonly<Record<string, string>>;
}

const sidecarGraceMs = 3_000;
/** As the sidecar: how long the control plane has to say something before what the last run kept is used. */
const keptAfterMs = 1_000;
/** A person wants to know what a start is waiting for. */
const patienceMs = 10_000;

/**
 * Joins the mesh, in an order in which each part finds what it needs: identity,
 * secrets, registration and names, sidecar, and last, when the sidecar has its
 * first configuration and certificate, the interception that brings it traffic.
 * An application that is its own data plane gets files instead of a sidecar.
 * Everything begun is on `cleanup`, whether or not this succeeds.
 *
 * @throws UserError that says what to do
 */
export async function joinMesh(options: MemberOptions, cleanup: CleanupStack): Promise<MeshMember> {
  const { plan, clock, talk, stop } = options;
  const files = openRunDirectory(plan.runDir);
  const target = enrolmentTarget(plan, clock);
  if (options.dataPlane) await refuseTakenAddresses(plan, clock);
  const keeper = await IdentityKeeper.open({
    target,
    file: new IdentityFile(files.identityPath),
    enrolment: options.enrolment,
    talk,
    signal: stop,
  });
  cleanup.add("identity", () => keeper.close());
  if (!keeper.isFromEarlierRun) forgetKept(files);
  const grpcTarget = controlPlaneTarget(target, () => ({ bundle: keeper.svid.bundle, svid: keeper.svid }));
  const { dataPlane } = options;
  let registration: Registration | undefined;
  const parts = { ...options, onHeld: (svid: Svid) => registration?.setHeld(svid) };
  const sidecar = dataPlane && (await prepareSidecar(parts, dataPlane, files, keeper, cleanup));
  const grpcEnv = sidecar ? {} : await prepareProxyless(parts, grpcTarget, files, keeper, cleanup);
  const state = new WorkloadState(keeper.svid);
  keeper.onRotated((svid) => state.setSvid(svid));
  const foreign = new ForeignBundles(files.keptBundlesPath, talk);
  foreign.onChange((map) => {
    state.setForeign(map);
    sidecar?.setForeign(map);
  });
  const api = await startWorkloadApi({
    path: files.workloadApiPath,
    state,
    target: grpcTarget,
    owner: options.appOwner,
    clock,
    talk,
  });
  cleanup.add("Workload API", () => api.close());
  const env = { ...grpcEnv, SPIFFE_ENDPOINT_SOCKET: `unix://${files.workloadApiPath}` };
  const dns =
    plan.capture === "nft" ? await startWorkloadDns(plan.namespace, plan.addresses, clock) : undefined;
  if (dns) cleanup.add("DNS", () => dns.close());

  const firstNames = Promise.withResolvers<void>();
  let template: WorkloadTemplate | undefined;
  const settings = new ProxySettingsKeeper(files.keptSettingsPath, clock, talk);
  const nameKeeper = new NameKeeper(files.keptNamesPath, talk);
  cleanup.add("names", () => nameKeeper.settled());
  const opened = new Registration({
    clock,
    target: grpcTarget,
    node: {
      id: nodeId(plan, "agent"),
      cluster: nodeCluster(plan),
      metadata: {
        ...(nodeMetadata(plan, options.productVersion) as JsonObject),
        ...(sidecar ? { BOOTSTRAP: sidecar.bootstrap } : {}),
      },
      ...(plan.locality ? { locality: { ...plan.locality } } : {}),
    },
    version: options.productVersion,
    onNames: (names: readonly MeshName[]) => {
      dns?.setNames(names);
      nameKeeper.keep(names);
      keptNames?.cancel();
      firstNames.resolve();
    },
    onBundle: (bundlePem) => keeper.setBundle(bundlePem),
    onTemplate: (said) => {
      // What was taken back leaves the application's probe as it is.
      if (plan.group !== undefined && said) template = said;
      settings.set(
        said?.proxy && { concurrency: said.proxy.concurrency, environment: said.proxy.environment },
      );
    },
    onKeySet: (keySet) => state.setKeySet(keySet),
    onBundleMap: (map) => foreign.set(map),
    talk,
  });
  registration = opened;
  cleanup.add("registration", () => opened.close());
  opened.start();
  const keptNames =
    dns &&
    clock.setTimer(() => {
      const names = readKeptNames(files.keptNamesPath, talk);
      if (!names) return;
      talk("the control plane does not answer: starting with the names of the last run");
      dns.setNames(names);
      firstNames.resolve();
    }, keptAfterMs);
  cleanup.add("kept names", () => keptNames?.cancel());

  if (sidecar) {
    sidecar.configure(await settings.first());
    sidecar.process.start();
  }
  cleanup.add("sidecar", () => sidecar?.process.stop(sidecarGraceMs));
  const startedMs = clock.now();
  const channel = new GrpcChannel({ clock, target: grpcTarget });
  cleanup.add("control plane", () => channel.close());
  if (sidecar) {
    const observing = new ObserveClient({
      clock,
      channel,
      instance: plan.instance,
      source: sidecar.requests,
    });
    observing.start();
    cleanup.add("requests", () => observing.close());
  }
  const reporter = new MetricsReporter({
    clock,
    channel,
    ...(sidecar?.metrics ?? { scrape: async () => "", startedMs: () => startedMs }),
    svid: () => keeper.svid,
    resource: { instance: plan.instance, service: plan.service, namespace: plan.namespace },
  });
  reporter.start();
  cleanup.add("metrics", () => reporter.close());

  const impatience = clock.setTimer(() => {
    const where = `${plan.controlPlane.host}:${plan.controlPlane.port}`;
    const who = plan.isGateway ? "the gateway" : "the application";
    talk(`${who} waits for its first configuration from ${where}; 'weft status' there says why`);
  }, patienceMs);
  try {
    await Promise.all([
      sidecar?.process.ready(stop),
      untilStop(dns ? firstNames.promise : Promise.resolve(), stop),
    ]);
  } finally {
    impatience.cancel();
  }
  if (options.nft !== undefined && plan.capture === "nft") {
    const source = hasIpv6() ? addPassthroughSource() : undefined;
    if (typeof source === "string") {
      talk(`IPv6 connections to ports this workload does not declare will fail: ${source}`);
    } else if (source) cleanup.add("the source of inbound IPv6 connections", () => source.remove());
    const rules = await intercept(
      { exclude: options.exclude, controlPlanePort: plan.controlPlane.port },
      options.nft,
    );
    const nft = options.nft;
    const watch = new InterceptionWatch({ read: () => readCounters(nft), clock, talk });
    cleanup.add("the watch over interception", () => watch.close());
    const onExit = () => rules.remove();
    process.on("exit", onExit);
    cleanup.add("interception", () => {
      process.off("exit", onExit);
      rules.remove();
    });
  }
  return {
    setHealth: (problem) => opened.setHealth(problem),
    template: () => template,
    drain: async () => void (await sidecar?.process.drain()),
    env,
  };
}

function enrolmentTarget(plan: WorkloadPlan, clock: Clock): EnrolmentTarget {
  try {
    const trustDomain = parseTrustDomain(plan.trustDomain);
    const spiffeId: SpiffeId = workloadSpiffeId(trustDomain, plan.namespace, plan.serviceAccount);
    return { ...plan.controlPlane, trustDomain, spiffeId, clock };
  } catch (thrown) {
    throw new UserError(`--trust-domain: ${messageOf(thrown)}`, {
      hint: "the name the control plane was started with, e.g. cluster.local",
      exitCode: 2,
      cause: thrown,
    });
  }
}

function untilStop(promise: Promise<void>, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(stop.reason);
    if (stop.aborted) onAbort();
    stop.addEventListener("abort", onAbort, { once: true });
    promise.then(() => {
      stop.removeEventListener("abort", onAbort);
      resolve();
    }, reject);
  });
}
