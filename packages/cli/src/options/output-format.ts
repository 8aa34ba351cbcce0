import { Option } from "commander";

/** `-o table|json` (and `yaml` where documents are shown). */
export function outputOption(choices: readonly string[] = ["table", "json"]): Option {
  return new Option("-o, --output <format>", "how to print the result")
    .choices(choices)
    .default(choices[0], choices[0]);
}

/** One result as indented JSON on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
