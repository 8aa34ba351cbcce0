import { createHash } from "node:crypto";
import { readlinkSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { UserError } from "@weft/base/errors";
import type { AppPort, CaptureMode, RunOptions, Upstream } from "./run-options.ts";

/** One workload as the mesh will know it: the options with every default decided. */
export interface WorkloadPlan {
  /** Unique in the mesh together with the namespace, e.g. `reviews-v1-7f3a9c`. */
  readonly instance: string;
  /** What the instances of one deployment share, e.g. `reviews-v1`. */
  readonly workloadName: string;
  readonly service: string;
  /** Its WorkloadGroup, where it has one. */
  readonly group: string | undefined;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly trustDomain: string;
  /** At least one; the first is the one it is known by. */
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: NodeLocality | undefined;
  readonly ports: readonly PlannedPort[];
  readonly capture: CaptureMode;
  /** False: the application is its own data plane, and peers connect to it. */
  readonly hasSidecar: boolean;
  /** There is no application: the proxy is what is run. */
  readonly isGateway: boolean;
  readonly upstreams: readonly Upstream[];
  /** Its sidecar is given all that it may call, not what it asks for. */
  readonly hasWholeScope: boolean;
  readonly controlPlane: { readonly host: string; readonly port: number };
  readonly runDir: string;
}

/** As the xDS node has it. */
export interface NodeLocality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface PlannedPort extends AppPort {
  /** Where peers connect: another port than the application's only without interception. */
  readonly listenPort: number;
}

/** What the machine is, so that the plan is a function of its arguments. */
export interface Surroundings {
  readonly isRoot: boolean;
  readonly hasNft: boolean;
  /** False in the namespace of the machine's first process: capturing there captures everything on the machine. */
  readonly hasOwnNetwork: boolean;
  /** The first global address of each family that has one, IPv4 first. */
  readonly addresses: readonly string[];
  readonly runtimeDir: string;
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Decides every default and refuses what cannot work, naming the flag.
 *
 * @throws UserError
 */
export function planWorkload(options: RunOptions, here: Surroundings): WorkloadPlan {
  const name = options.name ?? options.workloadGroup;
  if (name === undefined) {
    throw new UserError("neither --name nor --workload-group says what this workload is", {
      hint: "write --name SERVICE, as in: weft run --name web -- node app.js; a gateway has --gateway NAME",
      exitCode: 2,
    });
  }
  const { version, namespace = "default", serviceAccount = name, trustDomain = "cluster.local" } = options;
  for (const [flag, value] of [
    [options.name === undefined ? "--workload-group" : "--name", name],
    ["--namespace", namespace],
    ["--service-account", serviceAccount],
  ] as const) {
    if (!dnsLabel.test(value)) {
      throw new UserError(`${flag} ${JSON.stringify(value)} is not a DNS label`, {
        hint: "use lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit",
        exitCode: 2,
      });
    }
  }
  if (options.isGateway) refuseApplicationFlags(options);
  else if (options.command.length === 0) {
    throw new UserError("no command to run", {
      hint: "write it after --, as in: weft run --name web -- node app.js",
      exitCode: 2,
    });
  }
  if (options.proxy === "none") refuseSidecarFlags(options);
  if (options.metrics?.hasNativeHistograms) refuseNativeHistograms(options);
  const canCapture =
    here.isRoot && here.hasNft && here.hasOwnNetwork && options.proxy !== "none" && !options.isGateway;
  const capture = options.capture ?? (canCapture ? "nft" : "none");
  if (capture === "nft") refuseImpossibleCapture(options, here);
  const found = here.addresses.length === 0 && capture === "none" ? ["127.0.0.1"] : here.addresses;
  const addresses = options.addresses?.length ? withoutRepeats(options.addresses) : found;
  const [address] = addresses;
  if (address === undefined) {
    throw new UserError("no network interface has a global address", {
      hint: "say which address peers reach this workload at with --address IP",
    });
  }
  const workloadName = version ? `${name}-${version}` : name;
  const runDir =
    options.runDir ?? join(here.runtimeDir, namespace, `${workloadName}-${address.replaceAll(":", "_")}`);
  return {
    instance: `${workloadName}-${instanceSuffix(address, runDir)}`,
    workloadName,
    service: options.name !== undefined && options.ports.length > 0 ? name : "",
    group: options.workloadGroup,
    namespace,
    serviceAccount,
    trustDomain,
    addresses,
    labels: {
      ...(options.name === undefined ? {} : { app: name }),
      // As Istio's own chart labels a gateway, and the Gateway API those of a Gateway, so that either finds it.
      ...(options.isGateway
        ? { istio: name.replace(/^istio-/, ""), "gateway.networking.k8s.io/gateway-name": name }
        : {}),
      ...(version ? { version } : {}),
      ...options.labels,
    },
    locality: parseLocality(options.locality),
    ports: planPorts(options),
    capture,
    hasSidecar: options.proxy !== "none",
    isGateway: options.isGateway ?? false,
    upstreams: options.upstreams ?? [],
    hasWholeScope: options.scope === "all",
    controlPlane: parseHostPort(options.controlPlane ?? "127.0.0.1:15012"),
    runDir,
  };
}

/**
 * Tells instances apart, and is the same when one is started again: its new
 * registration takes the place of the one a killed agent left behind.
 */
function instanceSuffix(address: string, runDir: string): string {
  return createHash("sha256")
    .update(`${address}\0${resolve(runDir)}`)
    .digest("hex")
    .slice(0, 6);
}

/** Without a sidecar there is nothing that these could be told. */
function refuseSidecarFlags(options: RunOptions): void {
  const useless = [
    options.capture === "nft" ? "--capture nft" : "",
    options.upstreams?.length ? "--upstream" : "",
    options.inboundPorts?.size ? "--inbound-port" : "",
    options.accessLog !== undefined && options.accessLog !== "none" ? "--access-log" : "",
    options.appMetrics ? "--app-metrics" : "",
    options.concurrency === undefined ? "" : "--concurrency",
    ...metricFlags(options),
  ].filter((flag) => flag !== "");
  if (useless.length === 0) return;
  throw new UserError(`${useless.join(", ")} needs a sidecar, and --proxy none has none`, {
    hint: "leave it out, or leave --proxy out",
    exitCode: 2,
  });
}

function metricFlags({ metrics = {} }: RunOptions): string[] {
  return [
    metrics.maxSeries === undefined ? "" : "--max-series",
    metrics.seriesIdleMs === undefined ? "" : "--series-idle",
    metrics.hasNativeHistograms ? "--native-histograms" : "",
  ];
}

/** They are told in messages, and a page that holds what an application says is text. */
function refuseNativeHistograms({ appMetrics }: RunOptions): void {
  if (!appMetrics) return;
  throw new UserError(`--native-histograms: with --app-metrics the page of metrics is text, which has none`, {
    hint: "leave one of them out; Prometheus can read the application itself",
    exitCode: 2,
  });
}

/** A gateway has no application that these could be about. */
function refuseApplicationFlags(options: RunOptions): void {
  const { exclude } = options;
  const useless = [
    options.command.length > 0 ? `the command ${options.command[0]}` : "",
    options.proxy === "none" ? "--proxy none" : "",
    options.capture === "nft" ? "--capture nft" : "",
    options.upstreams?.length ? "--upstream" : "",
    options.appUser === undefined ? "" : "--user",
    options.appMetrics ? "--app-metrics" : "",
    exclude?.inboundPorts?.length ? "--exclude-inbound-port" : "",
    exclude?.outboundPorts?.length ? "--exclude-outbound-port" : "",
    exclude?.outboundCidrs?.length ? "--exclude-outbound-cidr" : "",
  ].filter((flag) => flag !== "");
  if (useless.length === 0) return;
  throw new UserError(`${useless.join(", ")}: a gateway has no application`, {
    hint: "leave it out; applications are run with --name",
    exitCode: 2,
  });
}

function refuseImpossibleCapture(options: RunOptions, here: Surroundings): void {
  if (!here.isRoot) {
    throw new UserError("--capture nft needs root", {
      hint: "run with sudo, or use --capture none with --upstream HOST:PORT=IP:PORT",
    });
  }
  if (!here.hasNft) {
    throw new UserError("--capture nft needs the nft command", {
      hint: "apt-get install nftables, or use --capture none",
    });
  }
  const explicit = options.upstreams?.length
    ? "--upstream"
    : options.inboundPorts?.size
      ? "--inbound-port"
      : undefined;
  if (explicit) {
    throw new UserError(`${explicit} has no effect with --capture nft`, {
      hint: "leave it out, or add --capture none",
      exitCode: 2,
    });
  }
}

function planPorts(options: RunOptions): PlannedPort[] {
  const seen = new Set<number>();
  for (const { port } of options.ports) {
    if (seen.has(port)) throw new UserError(`--port ${port} is given twice`, { exitCode: 2 });
    seen.add(port);
  }
  for (const port of options.inboundPorts?.keys() ?? []) {
    if (!seen.has(port)) {
      throw new UserError(`--inbound-port ${port}=…: there is no --port ${port}`, {
        hint: "the left side is a port of --port",
        exitCode: 2,
      });
    }
  }
  return options.ports.map((port) => ({
    ...port,
    listenPort: options.inboundPorts?.get(port.port) ?? port.port,
  }));
}

function withoutRepeats(addresses: readonly string[]): readonly string[] {
  addresses.forEach((address, i) => {
    if (addresses.indexOf(address) !== i) {
      throw new UserError(`--address ${address} is given twice`, { exitCode: 2 });
    }
  });
  if (addresses.length > maxAddresses) {
    throw new UserError(`--address is given ${addresses.length} times, at most ${maxAddresses} are taken`, {
      exitCode: 2,
    });
  }
  return addresses;
}

/** As many as the control plane takes. */
const maxAddresses = 16;

function parseLocality(text: string | undefined): NodeLocality | undefined {
  if (text === undefined) return undefined;
  if (!/^[^/*]+(\/[^/*]+){0,2}$/.test(text)) {
    throw new UserError(`--locality ${JSON.stringify(text)} is not a locality`, {
      hint: "write region, region/zone or region/zone/subzone, as in europe-west/b",
      exitCode: 2,
    });
  }
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}

function parseHostPort(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || !(port > 0 && port < 65_536)) {
    throw new UserError(`--control-plane ${JSON.stringify(text)} is not HOST:PORT`, {
      hint: "as in 10.0.0.1:15012",
      exitCode: 2,
    });
  }
  return { host: (match[1] ?? match[2])!, port };
}

/** Reads the machine's state for `planWorkload`. */
export function surroundings(hasNft: boolean): Surroundings {
  const isRoot = process.getuid?.() === 0;
  return {
    isRoot,
    hasNft,
    hasOwnNetwork: hasOwnNetwork(),
    addresses: globalAddresses(),
    runtimeDir: isRoot
      ? "/run/weft"
      : join(process.env.XDG_RUNTIME_DIR ?? join(tmpdir(), `weft-${process.getuid?.() ?? "user"}`), "weft"),
  };
}

/** Whether this network namespace is another than the first process's; unknown counts as no. */
function hasOwnNetwork(): boolean {
  try {
    return readlinkSync("/proc/self/ns/net") !== readlinkSync("/proc/1/ns/net");
  } catch {
    return false;
  }
}

function globalAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const global = all.filter(({ internal }) => !internal).map(({ address }) => address);
  const ipv4 = global.find((address) => isIPv4(address) && !address.startsWith("169.254."));
  // fe80::/10 is of a link alone.
  const ipv6 = global.find((address) => isIPv6(address) && !/^fe[89ab]/i.test(address));
  return [ipv4, ipv6].flatMap((address) => address ?? []);
}

/** What the node says about itself, to the letter of the registration contract. */
export function nodeMetadata(plan: WorkloadPlan, version: string): Record<string, unknown> {
  return {
    NAME: plan.instance,
    WORKLOAD_NAME: plan.workloadName,
    NAMESPACE: plan.namespace,
    SERVICE_ACCOUNT: plan.serviceAccount,
    LABELS: plan.labels,
    INSTANCE_IPS: plan.addresses.join(","),
    INTERCEPTION_MODE: plan.capture === "nft" ? "REDIRECT" : "NONE",
    MESH_ID: plan.trustDomain,
    WEFT_VERSION: version,
    SERVICE: plan.service,
    ...(plan.group === undefined ? {} : { WORKLOAD_GROUP: plan.group }),
    ...(plan.isGateway ? { GATEWAY: true } : {}),
    ...(plan.hasWholeScope ? { SCOPE: "all" } : {}),
    APP_PORTS: plan.ports.map(({ port, protocol, name, listenPort }) =>
      plan.capture === "none" ? { port, protocol, name, listenPort } : { port, protocol, name },
    ),
    ...(plan.capture === "none" ? { UPSTREAMS: plan.upstreams.map((upstream) => ({ ...upstream })) } : {}),
  };
}

/** As a bootstrap has it, without the parts that say nothing. */
export function localityJson({ region, zone, subZone }: NodeLocality): Readonly<Record<string, string>> {
  return { region, ...(zone === "" ? {} : { zone }), ...(subZone === "" ? {} : { sub_zone: subZone }) };
}

/** `agent~<ip>~<instance>.<namespace>~<namespace>.svc.cluster.local`, or the same for the sidecar. */
export function nodeId(plan: WorkloadPlan, role: "agent" | "sidecar"): string {
  return `${role}~${plan.addresses[0]}~${plan.instance}.${plan.namespace}~${plan.namespace}.svc.cluster.local`;
}

/** `<workload>.<namespace>`: what the instances of one deployment have in common. */
export function nodeCluster(plan: WorkloadPlan): string {
  return `${plan.workloadName}.${plan.namespace}`;
}
