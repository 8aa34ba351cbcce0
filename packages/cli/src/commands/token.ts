import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseDurationMs } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { formatAge } from "../output/units.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
}

interface CreateFlags extends Flags {
  readonly serviceAccount: string;
  readonly namespace: string;
  readonly ttl: number;
  readonly gateway?: boolean;
}

export function command(): Command {
  return new Command("token")
    .summary("create, list and revoke join tokens")
    .description(
      "Join tokens let a workload fetch its first certificate: each works once, for one identity, for a while.",
    )
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand())
    .addHelpText("after", "\nExample:\n  $ weft token create --service-account reviews > reviews.token");
}

function createCommand(): Command {
  return new Command("create")
    .description("Creates a token and prints it; it is not shown again.")
    .requiredOption("--service-account <name>", "service account the workload gets")
    .option("-n, --namespace <name>", "namespace the workload gets", "default")
    .option("--ttl <time>", "how long it can be used", parseDurationMs, 3_600_000)
    .option("--gateway", "it may be a gateway ('weft run --gateway'), which has the Secrets of its namespace")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft token create --service-account reviews --ttl 10m > reviews.token\n  $ weft run --name reviews --port 9080:http --token-file reviews.token -- node reviews.js",
    )
    .action(async (flags: CreateFlags) => {
      const created = await apiClient(flags).createToken({
        namespace: flags.namespace,
        serviceAccount: flags.serviceAccount,
        ttlSeconds: Math.ceil(flags.ttl / 1000),
        isGateway: flags.gateway ?? false,
      });
      if (flags.output === "json") return printJson(created);
      process.stdout.write(`${created.token}\n`);
      process.stderr.write(
        `weft: token ${created.id} for ${flags.gateway ? "a gateway, " : ""}${created.identity}, good once, for ${formatAge(flags.ttl)}\n`,
      );
    });
}

function listCommand(): Command {
  return new Command("list")
    .description("Lists tokens: never their secrets.")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft token list")
    .action(async (flags: Flags) => {
      const { tokens } = await apiClient(flags).listTokens();
      if (flags.output === "json") return printJson(tokens);
      if (tokens.length === 0)
        process.stderr.write("weft: there are no tokens; 'weft token create' makes one\n");
      const now = Date.now();
      const columns = [
        { title: "ID", value: (token: (typeof tokens)[number]) => token.id },
        { title: "STATE", value: (token: (typeof tokens)[number]) => token.state },
        {
          title: "FOR",
          value: (token: (typeof tokens)[number]) => (token.isGateway ? "gateway" : "workload"),
        },
        { title: "AGE", value: (token: (typeof tokens)[number]) => formatAge(now - token.createdAtMs) },
        {
          title: "EXPIRES",
          value: (token: (typeof tokens)[number]) =>
            token.expiresAtMs > now
              ? `in ${formatAge(token.expiresAtMs - now)}`
              : `${formatAge(now - token.expiresAtMs)} ago`,
        },
        { title: "IDENTITY", value: (token: (typeof tokens)[number]) => token.identity, canShrink: true },
      ];
      process.stdout.write(formatTable(columns, tokens, terminalWidth()));
    });
}

function revokeCommand(): Command {
  return new Command("revoke")
    .description("Makes a token unusable. Certificates already issued with it stay valid until they expire.")
    .argument("<id>", "id of the token, as 'weft token list' shows it")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft token revoke 4f1c2a")
    .action(async (id: string, flags: Flags) => {
      await apiClient(flags).revokeToken(id);
      if (flags.output === "json") printJson({ revoked: id });
      else process.stderr.write(`weft: token ${id} is revoked\n`);
    });
}
