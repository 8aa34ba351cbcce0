import { parseArgs } from "node:util";
import { productVersion } from "../product-version.ts";

export const proxyHelp = `Usage: weft proxy -c <bootstrap> [options]

Runs the sidecar on an Envoy bootstrap file, in YAML or JSON, until SIGTERM.
SIGUSR1 opens access logs anew; SIGUSR2 hands over to a new process of the same
command, without losing a connection.

Options:
  -c, --config-path <file>  Envoy bootstrap
  --mode <mode>             serve, or validate: only check the file (default: serve)
  --concurrency <n>         number of workers, each up to one processor (default: 1)
  -l, --log-level <level>   what it says about itself (default: info)
  --drain-time-s <seconds>  how long connections may finish: after SIGTERM (default: 5),
                            and of a listener that is changed or drained (default: 600)
  --drain-strategy <how>    such a listener's clients leave gradually over that time, or
                            immediately, with their next answer (default: gradual)
  --keep-config <file>      keep the configuration received in it, and start from it
                            while the management server does not answer
  -h, --help                display help for command

Example:
  $ weft proxy -c bootstrap.yaml
  $ weft proxy -c bootstrap.yaml --mode validate
`;

interface Flags {
  readonly configPath: string;
  readonly isValidateOnly: boolean;
  readonly concurrency?: number;
  readonly logLevel?: string;
  readonly drainTimeS?: number;
  readonly drainStrategy?: string;
  readonly keepConfigPath?: string;
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
        mode: { type: "string", default: "serve" },
        concurrency: { type: "string" },
        "log-level": { type: "string", short: "l" },
        "drain-time-s": { type: "string" },
        "drain-strategy": { type: "string" },
        "keep-config": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return "help";
    const configPath = values["config-path"];
    if (configPath === undefined) return "proxy needs a bootstrap file: -c FILE";
    if (values.mode !== "serve" && values.mode !== "validate") return "--mode is serve or validate";
    return {
      configPath,
      isValidateOnly: values.mode === "validate",
      concurrency: numberOf("--concurrency", values.concurrency),
      logLevel: values["log-level"],
      drainStrategy: values["drain-strategy"],
      drainTimeS: numberOf("--drain-time-s", values["drain-time-s"]),
      keepConfigPath: values["keep-config"],
    };
  } catch (error) {
    return (error as Error).message.split(". To specify")[0]!;
  }
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  const number = text === undefined ? undefined : Number(text);
  if (Number.isNaN(number)) throw new Error(`${flag} ${text}: is not a number`);
  return number;
}
