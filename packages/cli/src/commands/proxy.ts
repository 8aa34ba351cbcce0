import { parseArgs } from "node:util";
import { productVersion } from "../product-version.ts";
import { refusedProxyFlags } from "./refused-proxy-flags.ts";

export const proxyHelp = `Usage: weft proxy -c <bootstrap> [options]

Runs the sidecar on an Envoy bootstrap file, in YAML or JSON, until SIGTERM.
SIGUSR1 opens logs anew; SIGUSR2 hands over to a new process of the same
command, without losing a connection.

Options:
  -c, --config-path <file>  Envoy bootstrap
  --config-yaml <text>      bootstrap in place of the file, or merged into it
  --service-node <id>       the node's id, cluster and zone,
  --service-cluster <name>    whatever the bootstrap says
  --service-zone <name>
  --mode <mode>             serve, or validate: only check the file (default: serve)
  --concurrency <n>         number of workers, each up to one processor (default: 1)
  -l, --log-level <level>   what it says about itself (default: info)
  --log-path <file>         where it says so (default: standard error)
  --admin-address-path <file>  is given the address of the admin endpoint
  --drain-time-s <seconds>  how long connections may finish: after SIGTERM (default: 5),
                            and of a listener that is changed or drained (default: 600)
  --drain-strategy <how>    such a listener's clients leave gradually over that time, or
                            immediately, with their next answer (default: gradual)
  --disable-hot-restart     SIGUSR2 starts no successor
  --keep-config <file>      keep the configuration received in it, and start from it
                            while the management server does not answer
  --requests-socket <path>  Unix socket on which the agent watches requests
  -h, --help                display help for command

Example:
  $ weft proxy -c bootstrap.yaml
  $ weft proxy -c bootstrap.yaml --mode validate
`;

interface Flags {
  readonly configPath?: string;
  readonly configYaml?: string;
  readonly serviceNode?: string;
  readonly serviceCluster?: string;
  readonly serviceZone?: string;
  readonly adminAddressPath?: string;
  readonly logPath?: string;
  readonly isHotRestartDisabled: boolean;
  readonly isValidateOnly: boolean;
  readonly concurrency?: number;
  readonly logLevel?: string;
  readonly drainTimeS?: number;
  readonly drainStrategy?: string;
  readonly keepConfigPath?: string;
  readonly requestsSocketPath?: string;
}

/**
 * Parses the sidecar's few flags without a parser to load, and runs it. The
 * process ends when the sidecar does; a usage error ends it with 2.
 */
export async function runProxyCommand(args: readonly string[]): Promise<void> {
  const flags = parseFlags(args);
  if (flags === "help") {
    process.stdout.write(proxyHelp);
    return;
  }
  if (typeof flags === "string") {
    process.stderr.write(`weft: ${flags}\n  next: weft proxy --help\n`);
    process.exitCode = 2;
    return;
  }
  const { keepMemoryPrivate } = await import("../keep-memory-private.ts");
  keepMemoryPrivate();
  const { runProxy } = await import("@weft/proxy/main");
  const workerProgram = { entry: process.argv[1]!, args: ["proxy", ...args] };
  process.exit(await runProxy({ ...flags, workerProgram, version: productVersion }));
}

function parseFlags(args: readonly string[]): Flags | "help" | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "config-path": { type: "string", short: "c" },
        "config-yaml": { type: "string" },
        "service-node": { type: "string" },
        "service-cluster": { type: "string" },
        "service-zone": { type: "string" },
        "admin-address-path": { type: "string" },
        "log-path": { type: "string" },
        "disable-hot-restart": { type: "boolean", default: false },
        mode: { type: "string", default: "serve" },
        concurrency: { type: "string" },
        "log-level": { type: "string", short: "l" },
        "drain-time-s": { type: "string" },
        "drain-strategy": { type: "string" },
        "keep-config": { type: "string" },
        "requests-socket": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return "help";
    const configPath = values["config-path"];
    const configYaml = values["config-yaml"];
    if (configPath === undefined && configYaml === undefined) return "proxy needs a bootstrap file: -c FILE";
    if (values.mode !== "serve" && values.mode !== "validate") return "--mode is serve or validate";
    return {
      configPath,
      configYaml,
      serviceNode: values["service-node"],
      serviceCluster: values["service-cluster"],
      serviceZone: values["service-zone"],
      adminAddressPath: values["admin-address-path"],
      logPath: values["log-path"],
      isHotRestartDisabled: values["disable-hot-restart"],
      isValidateOnly: values.mode === "validate",
      concurrency: numberOf("--concurrency", values.concurrency),
      logLevel: values["log-level"],
      drainStrategy: values["drain-strategy"],
      drainTimeS: numberOf("--drain-time-s", values["drain-time-s"]),
      keepConfigPath: values["keep-config"],
      requestsSocketPath: values["requests-socket"],
    };
  } catch (error) {
    const message = (error as Error).message.split(". To specify")[0]!;
    const name = /^Unknown option '--([^' ]+)/.exec(message)?.[1] ?? "";
    const reason = refusedProxyFlags[name];
    return reason ? `--${name} is not taken: ${reason}` : message;
  }
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  const number = text === undefined ? undefined : Number(text);
  if (Number.isNaN(number)) throw new Error(`${flag} ${text}: is not a number`);
  return number;
}
