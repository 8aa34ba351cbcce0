import { parseArgs } from "node:util";

export const proxyHelp = `Usage: weft proxy -c <bootstrap>

Runs the sidecar on an Envoy bootstrap file, in YAML or JSON.

Options:
  -c, --config-path <file>  Envoy bootstrap
  -h, --help                display help for command

Example:
  $ weft proxy -c bootstrap.yaml
`;

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
}

function parseFlags(args: readonly string[]): { readonly bootstrapPath: string } | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { "config-path": { type: "string", short: "c" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help) return "help";
    const bootstrapPath = values["config-path"];
    return bootstrapPath === undefined ? "proxy needs a bootstrap file: -c FILE" : { bootstrapPath };
  } catch (error) {
    return (error as Error).message.split(". To specify")[0]!;
  }
}
