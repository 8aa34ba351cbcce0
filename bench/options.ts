import { parseArgs } from "node:util";
import { UserError } from "@weft/base/errors";
import { benchCases } from "./cases.ts";

const subjects = ["weft", "envoy", "haproxy", "nginx"] as const;

export interface BenchOptions {
  readonly cases: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
  readonly connections: number;
  /** How long the proxies stand without a request before their memory is taken as that of an idle one. */
  readonly idleSeconds: number;
  readonly subject: (typeof subjects)[number];
  readonly output: "table" | "json";
  readonly keep: boolean;
  /** Where to append a line per case. */
  readonly trend: string | undefined;
  readonly usesSources: boolean;
}

export const help = `Measures weft proxy against Envoy on the same bootstrap files, side by side.

usage: npm run bench -- [options]

  --case NAME        a case to run, may be repeated (default: all)
                     ${benchCases.map((one) => one.name).join(", ")}
  --rounds N         rounds per case, proxies alternating (default 5)
  --seconds N        length of each measurement (default 5)
  --rate N           requests/s of the latency measurement (default 1000)
  --connections N    client connections (default 32)
  --idle N           seconds without a request before idle memory is looked at (default 15)
  --subject NAME     weft, haproxy, nginx, or envoy to measure Envoy against itself (default weft);
                     of the cases, those it can do
  --sources          run weft from its sources instead of a fresh bundle
  --quick            one round of two seconds, at once: does it run, roughly how fast
  --keep             keep the working directory with bootstraps and logs
  --trend FILE       append a line of JSON per case, to see ratios move from run to run
  -o json            print JSON instead of a table
  -h, --help         this text

example: npm run bench -- --case http1-plain --rounds 3
`;

/** @throws UserError naming the option that is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | "help" {
  let values: ReturnType<typeof read>["values"];
  try {
    ({ values } = read(args));
  } catch (error) {
    throw new UserError((error as Error).message, { hint: "npm run bench -- --help", exitCode: 2 });
  }
  if (values.help) return "help";
  const cases = values.case ?? benchCases.map((one) => one.name);
  for (const name of cases) {
    if (benchCases.some((one) => one.name === name)) continue;
    throw new UserError(`--case ${name} does not exist`, {
      hint: `one of ${benchCases.map((one) => one.name).join(", ")}`,
      exitCode: 2,
    });
  }
  const { subject, output } = values;
  const known = subjects.find((name) => name === subject);
  if (!known) {
    throw new UserError(`--subject ${subject} is none of ${subjects.join(", ")}`, { exitCode: 2 });
  }
  if (output !== "table" && output !== "json") {
    throw new UserError(`-o ${output} is not table or json`, { exitCode: 2 });
  }
  return {
    cases,
    rounds: positive("rounds", values.rounds ?? (values.quick ? "1" : "5")),
    seconds: positive("seconds", values.seconds ?? (values.quick ? "2" : "5")),
    rate: positive("rate", values.rate),
    connections: positive("connections", values.connections),
    idleSeconds: idleSeconds(values.idle, values.quick),
    subject: known,
    output,
    keep: values.keep,
    trend: values.trend,
    usesSources: values.sources,
  };
}

function read(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      case: { type: "string", multiple: true },
      rounds: { type: "string" },
      seconds: { type: "string" },
      rate: { type: "string", default: "1000" },
      connections: { type: "string", default: "32" },
      idle: { type: "string" },
      subject: { type: "string", default: "weft" },
      output: { type: "string", short: "o", default: "table" },
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      trend: { type: "string" },
      sources: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

function idleSeconds(text: string | undefined, isQuick: boolean): number {
  if (text === "0" || (text === undefined && isQuick)) return 0;
  return positive("idle", text ?? "15");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new UserError(`--${name} ${text} is not a whole number above 0`, { exitCode: 2 });
}
