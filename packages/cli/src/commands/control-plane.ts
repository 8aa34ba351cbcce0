import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import type { RemoteApiOptions } from "@weft/control/compose/remote-api";
import type { AskedCall, CallExplanation } from "@weft/control/dashboard/view";
import type { ExplainHeader } from "@weft/control/model/mesh-options";
import { Command, Option } from "commander";
import { type AuthorityFlags, addAuthorityOptions, authorityOf } from "../options/authority-flags.ts";
import { addEnrolmentOptions, type EnrolmentFlags, enrolmentOf } from "../options/enrolment-flags.ts";
import {
  addFederationOptions,
  checkRanges,
  type FederationFlags,
  federationOf,
  readPem,
} from "../options/federation-flags.ts";
import {
  collect,
  parseDurationMs,
  parseHttpUrl,
  parseIp,
  parseListenAddress,
  parsePort,
} from "../options/parse-values.ts";
import { localClient, resolveStateDir, stateOption } from "../options/state-dir.ts";
import { packageRoot } from "../package-root.ts";
import { productVersion } from "../product-version.ts";

interface Flags extends AuthorityFlags, EnrolmentFlags, FederationFlags {
  readonly state?: string;
  readonly config?: string;
  readonly trustDomain: string;
  readonly address: string;
  readonly port: number;
  readonly plainAddress?: string;
  readonly plainPort: number;
  readonly httpAddress: string;
  readonly httpPort: number;
  readonly certificateTtl: number;
  readonly jaegerUrl?: string;
  readonly dashboardFrom?: readonly string[];
  readonly meshConfig?: string;
  readonly explainHeader: ExplainHeader;
  readonly jwksAllow: readonly string[];
  readonly jwksCa?: string;
  readonly canaryAllow: readonly string[];
  readonly prometheusUrl?: string;
  readonly scope: "learnt" | "all";
  readonly apiListen?: { readonly host: string; readonly port: number };
  readonly apiUsers?: string;
  readonly apiCert?: string;
  readonly apiKey?: string;
}

export function command(): Command {
  const built = new Command("control-plane")
    .summary("run the control plane: configuration, certificates, xDS")
    .description(
      "Runs the control plane until SIGTERM or Ctrl-C. Everything it must not lose is in its state directory.",
    )
    .addOption(stateOption())
    .option("--config <dir>", "directory of YAML to watch and apply, beside what 'weft apply' stores")
    .option(
      "--trust-domain <name>",
      "trust domain of all identities; fixed once the state exists",
      "cluster.local",
    )
    .option(
      "--address <ip>",
      "where agents and sidecars connect; :: is every address, of IPv4 too",
      parseIp,
      "0.0.0.0",
    )
    .option("--port <port>", "xDS and certificates over TLS", (text) => parsePort(text, true), 15012)
    .option(
      "--plain-address <ip>",
      "address of plain xDS (default: --address when that is loopback, else 127.0.0.1)",
      parseIp,
    )
    .option(
      "--plain-port <port>",
      "plain xDS, for debugging on this machine",
      (text) => parsePort(text, true),
      15010,
    )
    .option("--http-address <ip>", "address of metrics, health and the dashboard", parseIp, "127.0.0.1")
    .option("--http-port <port>", "metrics, health and the dashboard", (text) => parsePort(text, true), 15014)
    .option(
      "--certificate-ttl <time>",
      "life of a workload's certificate; it is renewed at half of it",
      parseDurationMs,
      86_400_000,
    )
    .option(
      "--api-listen <host:port>",
      "the API and the dashboard over TLS, for the operators of --api-users",
      parseListenAddress,
    )
    .option("--api-users <file>", "who may read, write and administer from elsewhere (docs/operators.md)")
    .option("--api-cert <file>", "certificate for --api-listen (default: one of the mesh's own authority)")
    .option("--api-key <file>", "its private key")
    .option("--mesh-config <file>", "Istio's MeshConfig: extension providers, path normalization, access log")
    .option(
      "--jwks-allow <cidr>",
      "addresses that are not public and may be asked for keys of token issuers, also over plain HTTP; repeatable",
      (text: string, all: readonly string[]) => [...all, text],
      [],
    )
    .option("--jwks-ca <file>", "PEM roots for token issuers, beside those of the system")
    .option(
      "--canary-allow <cidr>",
      "addresses that are not public and may be called by webhooks, metrics and alerts of Canaries, also over plain HTTP; repeatable",
      (text: string, all: readonly string[]) => [...all, text],
      [],
    )
    .option(
      "--prometheus-url <url>",
      "the Prometheus that metrics of Canaries are asked of which name no other",
      parseHttpUrl,
    )
    .addOption(
      new Option(
        "--scope <what>",
        "what sidecars are given of which no Sidecar says what they use: what they have asked for, or everything",
      )
        .choices(["learnt", "all"])
        .default("learnt"),
    )
    .addOption(
      new Option(
        "--explain-header <who>",
        "who is told in x-weft-explain why a sidecar refused or failed, with the line of YAML: nobody, applications and members of the mesh, or everybody, at gateways too",
      )
        .choices(["off", "mesh", "everywhere"])
        .default("off"),
    )
    .option(
      "--dashboard-from <ip>",
      "address that counts as this machine's for the dashboard: of its end of a bridge, seen from a container or namespace; repeatable",
      collect(parseIp),
    )
    .option("--jaeger-url <url>", "Jaeger's query service, whose traces the dashboard shows", parseHttpUrl);
  return addFederationOptions(addEnrolmentOptions(addAuthorityOptions(built)))
    .addHelpText(
      "after",
      `
Example:
  $ weft control-plane --state ./state --config ./mesh
  $ weft control-plane --address 10.0.0.5 --certificate-ttl 15m
  $ weft control-plane --cacerts /etc/weft/cacerts
  $ weft control-plane --service-account-tokens in-cluster
  $ weft control-plane --api-listen 0.0.0.0:15443 --api-users /etc/weft/users.yaml`,
    )
    .action(async (flags: Flags) => {
      const { keepMemoryPrivate } = await import("../keep-memory-private.ts");
      keepMemoryPrivate();
      const { startControlPlane } = await import("@weft/control/control-plane");
      await checkRanges("--jwks-allow", flags.jwksAllow);
      await checkRanges("--canary-allow", flags.canaryAllow);
      const stateDir = resolveStateDir(flags.state);
      const plainAddress = flags.plainAddress ?? (isLoopback(flags.address) ? flags.address : "127.0.0.1");
      const plane = await startControlPlane({
        stateDir,
        configDir: flags.config,
        trustDomain: flags.trustDomain,
        address: flags.address,
        port: flags.port,
        plain: { address: plainAddress, port: flags.plainPort },
        httpAddress: flags.httpAddress,
        httpPort: flags.httpPort,
        certificateTtlMs: flags.certificateTtl,
        ...(await authorityOf(flags)),
        ...enrolmentOf(flags),
        meshConfigFile: flags.meshConfig,
        remoteApi: remoteApiOf(flags),
        explainHeader: flags.explainHeader,
        dashboard: {
          directory: join(packageRoot, "dist", "dashboard"),
          neighbours: flags.dashboardFrom,
          explain: (asked) => explainCall(asked, flags),
          explainRequest: async (id) => {
            const { explainObserved } = await import("../explain/explain-observed.ts");
            return { calls: await explainObserved(id, localClient(flags)) };
          },
          jaegerUrl: flags.jaegerUrl,
        },
        learnsScope: flags.scope === "learnt",
        jwks: { allowed: flags.jwksAllow, caPem: flags.jwksCa && readPem("--jwks-ca", flags.jwksCa) },
        canary: { allowed: flags.canaryAllow, prometheusUrl: flags.prometheusUrl },
        federation: await federationOf(flags),
        version: productVersion,
      });
      process.stderr.write(
        `weft: control plane ready: xDS and certificates on ${flags.address}:${plane.port}, ` +
          `metrics on http://${flags.httpAddress}:${plane.httpPort}/metrics, ` +
          (flags.apiListen ? `API on https://${flags.apiListen.host}:${plane.apiPort}, ` : "") +
          (plane.federationPort === undefined
            ? ""
            : `bundle on https://${flags.federationAddress}:${plane.federationPort}/, `) +
          `state in ${stateDir}\n`,
      );
      await untilSignal();
      await plane.close();
    });
}

/** As `weft explain` does; what that needs is loaded with the first question. */
async function explainCall({ from, to, method, headers }: AskedCall, flags: Flags): Promise<CallExplanation> {
  const { Explainer } = await import("../explain/explainer.ts");
  const { liveReader } = await import("../explain/live-reader.ts");
  const { parseQuestion } = await import("../explain/question.ts");
  return new Explainer(liveReader(localClient(flags))).explain(parseQuestion(from, to, { method, headers }));
}

/** @throws UserError for flags that belong together and are not */
function remoteApiOf({ apiListen, apiUsers, apiCert, apiKey }: Flags): RemoteApiOptions | undefined {
  const wrong = (message: string) =>
    new UserError(message, { hint: "docs/operators.md shows how they go together", exitCode: 2 });
  if ((apiCert === undefined) !== (apiKey === undefined)) {
    throw wrong("--api-cert and --api-key belong together");
  }
  if ((apiListen === undefined) !== (apiUsers === undefined)) {
    throw wrong("--api-listen and --api-users belong together");
  }
  if (!apiListen || apiUsers === undefined) {
    if (apiCert !== undefined) throw wrong("--api-cert is for --api-listen");
    return undefined;
  }
  const isOwn = apiCert === undefined || apiKey === undefined;
  return {
    ...apiListen,
    usersFile: apiUsers,
    ...(!isOwn && { certificateFiles: { certificate: apiCert, key: apiKey } }),
  };
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** The first signal ends gracefully; a second one ends at once. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        process.removeListener(signal, onSignal);
        process.once(signal, () => process.exit(130));
      }
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
