import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { productVersion } from "../product-version.ts";

export function command(): Command {
  return new Command("version")
    .summary("show the version")
    .description("Shows the version of weft and of the runtime it runs on.")
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft version -o json")
    .action((flags: { readonly output: string }) => {
      const version = {
        weft: productVersion,
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
      };
      if (flags.output === "json") return printJson(version);
      process.stdout.write(`weft ${version.weft} (node ${version.node}, ${version.platform})\n`);
    });
}
