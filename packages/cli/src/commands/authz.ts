import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Command } from "commander";
import type { Decision, Verdict } from "../authz/decision.ts";
import { decide } from "../authz/decision.ts";
import { buildMatrix, type MatrixCell } from "../authz/matrix.ts";
import { formatSuggestions, suggestPolicies } from "../authz/suggest.ts";
import { Explainer } from "../explain/explainer.ts";
import { liveReader } from "../explain/live-reader.ts";
import { parseQuestion } from "../explain/question.ts";
import { writtenReader } from "../explain/written-reader.ts";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseDurationMs } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { type Column, formatTable, terminalWidth } from "../output/table.ts";
import { readFiles } from "./read-files.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
}

interface CanFlags extends Flags {
  readonly header: readonly string[];
  readonly file: readonly string[];
  readonly trustDomain: string;
}

interface SeenFlags extends Flags {
  readonly namespace?: string;
  readonly window: number;
}

export function command(): Command {
  return new Command("authz")
    .summary("who may call whom, by the proxies' own engine")
    .description(
      "What the policies of the mesh say to calls. The answers come from the engine that decides in the sidecar,\n" +
        "with the configuration that the control plane makes for it; nothing is sent.",
    )
    .addCommand(canCommand())
    .addCommand(matrixCommand())
    .addCommand(suggestCommand())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft authz can ratings GET reviews:9080/reviews/1\n  $ weft authz matrix -n default\n  $ weft authz suggest > policies.yaml",
    );
}

function canCommand(): Command {
  return new Command("can")
    .summary("whether a call is allowed, by which rule, and where that is written")
    .description(
      "Says whether a call is allowed, by which rule, and where that is written. Exit code 1: it is not.",
    )
    .argument("<caller>", "who calls: a workload, deployment, service or app")
    .argument("<method>", "method of the request")
    .argument("<url>", "what is called: HOST:PORT/PATH")
    .option("-H, --header <header>", "a header, 'name: value', such as a token; repeatable", collect, [])
    .option(
      "-f, --file <path>",
      "ask about these files or directories, not the running mesh; repeatable",
      collect,
      [],
    )
    .option("--trust-domain <name>", "of identities, with -f", "cluster.local")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft authz can ratings GET reviews:9080/reviews/1 || echo no")
    .action(async (caller: string, method: string, url: string, flags: CanFlags) => {
      const question = parseQuestion(caller, url, { method, headers: flags.header });
      const decision = await decide(new Explainer(readerOf(flags)), question);
      if (flags.output === "json") printJson(decision);
      else process.stdout.write(formatDecision(decision));
      if (decision.verdict !== "allowed") process.exitCode = 1;
    });
}

function readerOf(flags: CanFlags) {
  if (flags.file.length === 0) return liveReader(apiClient(flags));
  return writtenReader(writtenMesh(readFiles(flags.file, true), { trustDomain: flags.trustDomain }));
}

const answers: Readonly<Record<Verdict, string>> = {
  allowed: "yes",
  denied: "no",
  partly: "partly",
  asked: "asked of a service that decides",
  unreachable: "does not arrive",
};

function formatDecision({ caller, request, verdict, destinations }: Decision): string {
  const lines = [`${answers[verdict]}: ${caller.identity} ${request.method} ${request.url}`];
  for (const { service, subset, verdict: own, why, origin } of destinations) {
    const where = service === "" ? "" : `${service}${subset && ` ${subset}`}: `;
    lines.push(`  ${where}${answers[own]}, ${why}${origin ? ` (${origin})` : ""}`);
  }
  return `${lines.join("\n")}\n`;
}

const columns: readonly Column<MatrixCell>[] = [
  { title: "CALLER", value: ({ caller }) => shortIdentity(caller), canShrink: true },
  { title: "CALLEE", value: ({ callee }) => callee },
  {
    title: "MAY",
    value: ({ verdict }) => (verdict === "unreachable" ? "-" : answers[verdict].split(" ")[0]!),
  },
  { title: "SEEN", value: seenText },
  { title: "REQUESTS", value: requestsText, canShrink: true },
];

function matrixCommand(): Command {
  return new Command("matrix")
    .summary("what each identity may call, and what was seen of it")
    .description(
      "One line for each identity and each port of a service: what it may, and what was seen of it lately.\n" +
        "Requests are tried that the policies tell apart by method and path; '-' has no way there.",
    )
    .option("-n, --namespace <name>", "only services of this namespace")
    .option("--window <time>", "how far back to look for calls, at most 2m", parseDurationMs, 120_000)
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft authz matrix -n default\n  $ weft authz matrix -o json | jq '.[] | select(.deniedPerSecond > 0)'",
    )
    .action(async (flags: SeenFlags) => {
      const api = apiClient(flags);
      const reader = liveReader(api);
      const { rows } = await api.edges({ by: "service", windowSeconds: Math.ceil(flags.window / 1000) });
      const cells = await buildMatrix(reader, new Explainer(reader), {
        ...(flags.namespace !== undefined && { namespace: flags.namespace }),
        edges: rows,
      });
      if (flags.output === "json") return printJson(cells);
      process.stdout.write(formatTable(columns, cells, terminalWidth()));
    });
}

function shortIdentity(id: string): string {
  return id.replace(/^spiffe:\/\//, "");
}

function seenText({ seenPerSecond = 0, deniedPerSecond = 0 }: MatrixCell): string {
  if (deniedPerSecond > 0) return deniedPerSecond >= seenPerSecond ? "denied" : "some denied";
  return seenPerSecond > 0 ? "yes" : "-";
}

function requestsText({ verdict, requests }: MatrixCell): string {
  if (verdict !== "partly") return "";
  return requests
    .filter((one) => one.verdict === "allowed")
    .map(({ method, path }) => `${method} ${path}`)
    .join(", ");
}

function suggestCommand(): Command {
  return new Command("suggest")
    .summary("policies that allow the calls that were seen, and no others")
    .description(
      "Writes AuthorizationPolicies that allow the calls that were seen lately and no others: one for each service,\n" +
        "by the identities its callers proved. Try them with the annotation istio.io/dry-run before they are enforced.",
    )
    .option("-n, --namespace <name>", "only services of this namespace")
    .option("--window <time>", "how far back to look, at most 2m", parseDurationMs, 120_000)
    .addOption(stateOption())
    .addOption(outputOption(["yaml", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft authz suggest -n default > policies.yaml && weft apply --dry-run -f policies.yaml",
    )
    .action(async (flags: SeenFlags) => {
      const api = apiClient(flags);
      const { rows } = await api.edges({ by: "service", windowSeconds: Math.ceil(flags.window / 1000) });
      const suggestions = await suggestPolicies(rows, liveReader(api), flags.namespace);
      if (flags.output === "json") return printJson(suggestions);
      if (suggestions.length === 0) process.stderr.write("weft: nobody was seen to call anybody\n");
      process.stdout.write(formatSuggestions(suggestions));
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
