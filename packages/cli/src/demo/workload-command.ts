import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../package-root.ts";
import { sidecarNodeFlags, weftCommand } from "../weft-command.ts";
import { type DemoWorkload, servicePort, votesPort, workloadName } from "./topology.ts";

/** Where and how a workload of the demo runs. */
export interface WorkloadPlace {
  readonly address: string;
  /** `HOST:PORT` */
  readonly controlPlane: string;
  readonly runDirectory: string;
  readonly capture: "nft" | "none";
  readonly hasPython: boolean;
  /** Path of Envoy, for those that have it for a sidecar. */
  readonly envoy: string | undefined;
}

/** Without interception every workload has a loopback address of its own, and these ports. */
const withoutCapture = {
  inboundPort: 19080,
  inboundVotesPort: 19070,
  firstUpstreamPort: 20000,
  votesUpstreamPort: 20070,
} as const;

/** The `weft run` of a workload, its application with it. */
export function workloadCommand(workload: DemoWorkload, place: WorkloadPlace): readonly string[] {
  return [
    ...weftCommand(sidecarNodeFlags),
    "run",
    ...commonFlags(workload, place),
    ...(place.capture === "none" ? portFlags(workload, place.address) : []),
    "--",
    ...applicationCommand(workload, place.hasPython),
  ];
}

/** Without interception: where a workload at `address` reaches the HTTP port of a service it calls. */
export function upstreamOf(workload: DemoWorkload, address: string, service: string): string {
  return `${address}:${withoutCapture.firstUpstreamPort + workload.calls.indexOf(service)}`;
}

function commonFlags(workload: DemoWorkload, place: WorkloadPlace): readonly string[] {
  const name = workloadName(workload);
  const flags = [
    ...["--name", workload.service],
    ...["--control-plane", place.controlPlane],
    ...["--capture", place.capture],
    ...["--run-dir", join(place.runDirectory, "run", name)],
    ...["--access-log", join(place.runDirectory, `${name}.access.log`)],
    "--trace-node",
  ];
  if (workload.version) flags.push("--version", workload.version);
  if (place.envoy && workload.mayHaveEnvoy) flags.push("--proxy", "envoy", "--envoy-path", place.envoy);
  if (workload.port) flags.push("--port", `${workload.port}:http`);
  if (workload.tcpPort) flags.push("--port", `${workload.tcpPort}:tcp`);
  return flags;
}

function portFlags(workload: DemoWorkload, address: string): readonly string[] {
  const { port, tcpPort, calls, connectsTo } = workload;
  const flags = ["--address", address];
  if (port) flags.push("--inbound-port", `${port}=${withoutCapture.inboundPort}`);
  if (tcpPort) flags.push("--inbound-port", `${tcpPort}=${withoutCapture.inboundVotesPort}`);
  for (const service of calls) {
    flags.push("--upstream", `${service}:${servicePort}=${upstreamOf(workload, address, service)}`);
  }
  if (connectsTo) {
    flags.push("--upstream", `${connectsTo}:${votesPort}=${address}:${withoutCapture.votesUpstreamPort}`);
  }
  return flags;
}

function applicationCommand(workload: DemoWorkload, hasPython: boolean): readonly string[] {
  const isPython = workload.app.endsWith(".py");
  const file = isPython && !hasPython ? workload.fallback! : workload.app;
  const path = join(packageRoot, "demo", "apps", file);
  if (!existsSync(path)) throw new Error(`the demo's application ${path} is missing`);
  return file.endsWith(".py") ? ["python3", path] : [process.execPath, path];
}
