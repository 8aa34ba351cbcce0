import { type Command, Option } from "commander";
import { parseServer } from "./parse-values.ts";

/** How a command that speaks to a control plane finds another one than this machine's. */
export function addRemoteOptions(command: Command): Command {
  const options = [
    new Option("--context <name>", "control plane kept by 'weft context'").env("WEFT_CONTEXT"),
    new Option("--server <url>", "control plane elsewhere, https://HOST:PORT").argParser(parseServer),
    new Option("--ca-file <file>", "roots that its certificate leads to, PEM"),
    new Option("--client-cert <file>", "certificate that shows who you are, PEM"),
    new Option("--client-key <file>", "its key, where --client-cert does not hold it"),
    new Option("--token-file <file>", "bearer token that shows who you are"),
  ];
  for (const option of options) command.addOption(option.helpGroup("A control plane elsewhere:"));
  return command;
}
