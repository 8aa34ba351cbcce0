import { join } from "node:path";
import type { AppPort, CaptureMode, DataPlaneKind, Upstream } from "@weft/agent/run-options";
import { UserError } from "@weft/base/errors";
import { Command, Option } from "commander";
import {
  collect,
  parseAppMetrics,
  parseAppPort,
  parseInboundPort,
  parseIp,
  parseLabel,
  parsePort,
  parseSeriesCount,
  parseSeriesIdle,
  parseUpstream,
  parseWorkers,
} from "../options/parse-values.ts";
import { packageRoot } from "../package-root.ts";
import { productVersion } from "../product-version.ts";
import { sidecarNodeFlags, weftCommand } from "../weft-command.ts";

interface Flags {
  readonly name?: string;
  readonly workloadGroup?: string;
  readonly gateway?: string;
  readonly version?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly trustDomain?: string;
  readonly port?: readonly AppPort[];
  readonly address?: readonly string[];
  readonly token?: string;
  readonly tokenFile?: string;
  readonly serviceAccountToken?: string;
  readonly rootCert?: string;
  readonly controlPlane?: string;
  readonly proxy?: DataPlaneKind;
  readonly envoyPath?: string;
  readonly concurrency?: number;
  readonly capture?: CaptureMode;
  readonly upstream?: readonly Upstream[];
  readonly inboundPort?: readonly (readonly [number, number])[];
  readonly excludeInboundPort?: readonly number[];
  readonly excludeOutboundPort?: readonly number[];
  readonly excludeOutboundCidr?: readonly string[];
  readonly label?: readonly (readonly [string, string])[];
  readonly locality?: string;
  readonly runDir?: string;
  readonly accessLog?: string;
  readonly appMetrics?: { readonly port: number; readonly path: string };
  readonly maxSeries?: number;
  readonly seriesIdle?: number;
  readonly nativeHistograms?: boolean;
  readonly user?: string;
  readonly traceNode?: boolean;
  readonly scope?: "learnt" | "all";
}

export function command(): Command {
  return new Command("run")
    .summary("run a program as a workload of the mesh")
    .description(
      "Runs a program with a sidecar beside it: an identity, mutual TLS, routing and metrics for all of its\n" +
        "calls, without a change to the program. Ends with the program's exit code.\n" +
        "With --gateway the proxy is all there is: the way into the mesh, or out of it.",
    )
    .option("--name <name>", "service this program serves, and its app label")
    .option("--workload-group <name>", "WorkloadGroup that says its labels, ports, weight and probe")
    .option("--gateway <name>", "run a gateway of this name, which serves what Gateways say, and no program")
    .option("--version <version>", "version label, e.g. v1")
    .option("--namespace <name>", 'namespace (default: "default")')
    .option("--service-account <name>", "service account of its identity (default: the name, or the group's)")
    .option("--trust-domain <name>", 'trust domain (default: "cluster.local")')
    .option(
      "--port <port[:protocol[:name]]>",
      "port the program listens on, or by which members reach a gateway; repeatable",
      collect(parseAppPort),
    )
    .option(
      "--address <ip>",
      "address of this workload, the preferred one first; repeatable (default: the first global one of IPv4 and of IPv6)",
      collect(parseIp),
    )
    .addOption(new Option("--token <token>", "one-time join token").env("WEFT_TOKEN"))
    .option("--token-file <file>", "file that holds the join token")
    .option(
      "--service-account-token <file>",
      "in Kubernetes, in place of a join token: the projected token of the pod, read anew for each certificate",
    )
    .option("--root-cert <file>", "with it: PEM roots by which the control plane is recognised")
    .addOption(
      new Option("--control-plane <host:port>", 'control plane (default: "127.0.0.1:15012")').env(
        "WEFT_CONTROL_PLANE",
      ),
    )
    .addOption(new Option("--proxy <kind>", "data plane (default: weft)").choices(["weft", "envoy", "none"]))
    .option("--envoy-path <file>", "Envoy, for --proxy envoy (default: from the PATH)")
    .option("--concurrency <n>", "workers of its proxy, each up to one processor (default: 1)", parseWorkers)
    .addOption(
      new Option(
        "--capture <mode>",
        "interception (default: nft as root in a network namespace of its own)",
      ).choices(["nft", "none"]),
    )
    .option(
      "--upstream <host:port=ip:port>",
      "without interception: local listener for a service it calls; repeatable",
      collect(parseUpstream),
    )
    .option(
      "--inbound-port <port=port>",
      "without interception: where the sidecar listens for a port of the program; repeatable",
      collect(parseInboundPort),
    )
    .option(
      "--exclude-inbound-port <port>",
      "leave alone what arrives on it; repeatable",
      collect((text) => parsePort(text)),
    )
    .option(
      "--exclude-outbound-port <port>",
      "leave alone what goes to it; repeatable",
      collect((text) => parsePort(text)),
    )
    .option("--exclude-outbound-cidr <cidr>", "leave alone what goes there; repeatable", collect(String))
    .option("--label <key=value>", "label beside app and version; repeatable", collect(parseLabel))
    .option("--locality <region/zone/subzone>", "where it stands, for callers that prefer what is near")
    .addOption(
      new Option(
        "--scope <what>",
        "what its sidecar is told of services: those it has used, or all that it may call (default: learnt)",
      ).choices(["learnt", "all"]),
    )
    .option("--run-dir <dir>", "where it keeps its identity and sockets while it runs")
    .option("--access-log <file>", "the sidecar's access log; '-' is its output, 'none' is off")
    .option(
      "--app-metrics <port[/path]>",
      "where the program shows Prometheus metrics of its own (path: /metrics), for the page of its sidecar",
      parseAppMetrics,
    )
    .option(
      "--max-series <count>",
      "series of each of Istio's metrics; what is more counts as overflow (default: 1000)",
      parseSeriesCount,
    )
    .option(
      "--series-idle <time>",
      "forget series of requests that have not changed for so long (default: 1h)",
      parseSeriesIdle,
    )
    .option("--native-histograms", "native histograms for a Prometheus that takes them")
    .option("--user <user>", "user the program runs as (default: who called sudo, else the current one)")
    .option("--trace-node", "Node programs forward the context of traces, without a change to them")
    .argument("[command...]", "program and its arguments, after --")
    .addHelpText(
      "after",
      `
Example:
  $ weft token create --service-account reviews > reviews.token
  $ weft run --name reviews --version v1 --port 9080:http --token-file reviews.token -- node reviews.js
  $ weft run --name web --port 8080:http --capture none --upstream reviews:9080=127.0.0.1:20000 -- ./web
  $ weft run --name api --port 8080:http --max-series 5000 --series-idle 15m --native-histograms -- ./api
  $ weft run --gateway istio-ingressgateway --token-file gateway.token --concurrency 4`,
    )
    .action(async (program: readonly string[], flags: Flags) => {
      const { keepMemoryPrivate } = await import("../keep-memory-private.ts");
      keepMemoryPrivate();
      const { runWorkload } = await import("@weft/agent/run-workload");
      const { name, gateway, port, address, upstream, inboundPort, label, user, traceNode, ...same } = flags;
      const other =
        name === undefined
          ? (flags.workloadGroup && "--workload-group") || (traceNode && "--trace-node")
          : "--name";
      if (gateway !== undefined && other) {
        throw new UserError(`${other} is for a program, and --gateway runs none`, {
          hint: "keep one of them",
          exitCode: 2,
        });
      }
      const { excludeInboundPort, excludeOutboundPort, excludeOutboundCidr, ...counted } = same;
      const { maxSeries, seriesIdle, nativeHistograms, ...plain } = counted;
      process.exitCode = await runWorkload({
        ...plain,
        name: name ?? gateway,
        isGateway: gateway !== undefined,
        ports: port ?? [],
        addresses: address,
        upstreams: upstream,
        inboundPorts: inboundPort && new Map(inboundPort),
        exclude: {
          inboundPorts: excludeInboundPort,
          outboundPorts: excludeOutboundPort,
          outboundCidrs: excludeOutboundCidr,
        },
        metrics: { maxSeries, seriesIdleMs: seriesIdle, hasNativeHistograms: nativeHistograms },
        labels: label && Object.fromEntries(label),
        appUser: user,
        nodePreload: traceNode ? join(packageRoot, "dist", "trace-node.cjs") : undefined,
        command: program,
        proxyCommand: [...weftCommand(sidecarNodeFlags), "proxy"],
        productVersion,
      });
    });
}
