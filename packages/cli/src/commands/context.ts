import { UserError } from "@weft/base/errors";
import { Command } from "commander";
import {
  type Context,
  type ContextFlags,
  contextFile,
  contextOf,
  localContext,
  readContexts,
  writeContexts,
} from "../options/contexts.ts";
import { outputOption, printJson } from "../options/output-format.ts";
import { addRemoteOptions } from "../options/remote-options.ts";
import { formatTable, terminalWidth } from "../output/table.ts";

export function command(): Command {
  return new Command("context")
    .summary("keep control planes by name, and choose one")
    .description(
      `Keeps how control planes are reached in ${contextFile()}: none of it is secret, keys and tokens stay in their files.`,
    )
    .addCommand(listCommand())
    .addCommand(useCommand())
    .addCommand(addCommand())
    .addCommand(deleteCommand())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft context add prod --server https://mesh.example:15443 --client-cert alice.pem\n  $ weft context use prod",
    );
}

interface Row extends Context {
  readonly name: string;
  readonly isCurrent: boolean;
}

function listCommand(): Command {
  return new Command("list")
    .description("Lists contexts; * is the current one.")
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft context list")
    .action((flags: { readonly output: string }) => {
      const { current = localContext, contexts } = readContexts();
      const rows: Row[] = Object.entries({ [localContext]: {}, ...contexts }).map(([name, context]) => ({
        name,
        isCurrent: name === current,
        ...context,
      }));
      if (flags.output === "json") return printJson(rows);
      const columns = [
        { title: "", value: ({ isCurrent }: Row) => (isCurrent ? "*" : "") },
        { title: "NAME", value: ({ name }: Row) => name },
        { title: "CONTROL PLANE", value: placeOf, canShrink: true },
        { title: "KNOWN BY", value: proofOf, canShrink: true },
      ];
      process.stdout.write(formatTable(columns, rows, terminalWidth()));
    });
}

function placeOf({ server, state }: Context): string {
  return server ?? state ?? "this machine's";
}

function proofOf({ server, clientCert, tokenFile }: Context): string {
  if (server === undefined) return "permission of its socket";
  return tokenFile ?? clientCert ?? "nothing";
}

function useCommand(): Command {
  return new Command("use")
    .description("Chooses the control plane that commands speak to.")
    .argument("<name>", `name of a context; ${localContext} is this machine's control plane`)
    .addHelpText("after", "\nExample:\n  $ weft context use prod")
    .action((name: string) => {
      const { contexts } = readContexts();
      requireContext(name, contexts);
      writeContexts({ current: name, contexts });
      process.stderr.write(`weft: commands speak to ${name} from now on\n`);
    });
}

function addCommand(): Command {
  const add = new Command("add")
    .description("Adds a context, or replaces the one of that name.")
    .argument("<name>", "how you call it")
    .option("--state <dir>", "state directory of a control plane of this machine");
  return addRemoteOptions(add)
    .addHelpText(
      "after",
      "\nExample:\n  $ weft context add prod --server https://mesh.example:15443 --ca-file roots.pem --token-file token\n  $ weft context add test --state ./state",
    )
    .action((name: string, flags: ContextFlags) => {
      const context = contextOf(flags);
      if (context.server === undefined && context.state === undefined) {
        throw new UserError("say where the control plane is", {
          hint: "--server https://HOST:PORT, or --state DIR for one of this machine",
          exitCode: 2,
        });
      }
      const { contexts, ...rest } = readContexts();
      writeContexts({ ...rest, contexts: { ...contexts, [name]: context } });
      process.stderr.write(`weft: ${name} is kept; 'weft context use ${name}' chooses it\n`);
    });
}

function deleteCommand(): Command {
  return new Command("delete")
    .description("Forgets a context. Its files stay.")
    .argument("<name>", "name of a context")
    .addHelpText("after", "\nExample:\n  $ weft context delete prod")
    .action((name: string) => {
      const { current, contexts } = readContexts();
      if (!Object.hasOwn(contexts, name)) requireContext(name, {});
      const { [name]: _, ...left } = contexts;
      writeContexts({ contexts: left, ...(current !== undefined && current !== name && { current }) });
      process.stderr.write(`weft: ${name} is forgotten\n`);
    });
}

function requireContext(name: string, contexts: Readonly<Record<string, Context>>): void {
  if (name === localContext || Object.hasOwn(contexts, name)) return;
  throw new UserError(`there is no context ${name}`, { hint: "'weft context list' shows what there is" });
}
