import { type Diagnostic, formatDiagnostic, type Severity } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import { analyze } from "@weft/control/analyze/analyze";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Command, Option } from "commander";
import { type DataPlaneChoice, parseDataPlane, writtenClients } from "../analyze/data-planes.ts";
import { formatSarif } from "../analyze/format-sarif.ts";
import { outputOption, printJson } from "../options/output-format.ts";
import { collect } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { readFiles } from "./read-files.ts";

interface Flags {
  readonly live?: boolean;
  readonly failOn: Severity | "never";
  readonly all?: boolean;
  readonly trustDomain: string;
  readonly dataPlane?: readonly DataPlaneChoice[];
  readonly state?: string;
  readonly output: string;
}

const severities: readonly Severity[] = ["error", "warning", "info"];

export function command(): Command {
  return new Command("analyze")
    .summary("find what is wrong or questionable in configuration")
    .description(
      "Reads YAML as the control plane would, and says what is wrong: schema, references, conflicts, rules that\n" +
        "never apply, ports and protocols, TLS that does not fit, holes in policies, and what the data planes that\n" +
        "are there will not do; each with file:line:column, a\n" +
        "stable code (Istio's where it means the same) and what to do. With --live it is the running mesh.",
    )
    .argument("[path...]", "YAML files or directories")
    .option("--live", "analyze the running mesh instead of files")
    .option("--all", "show notes (info) too")
    .addOption(
      new Option("--fail-on <severity>", "exit with 1 from this severity on")
        .choices([...severities, "never"])
        .default("error"),
    )
    .option("--trust-domain <name>", "of identities, for files", "cluster.local")
    .option(
      "--data-plane <workload=kind>",
      "of files: what runs there (weft, envoy/1.29, proxyless), where their annotations do not say it; repeatable",
      collect(parseDataPlane),
    )
    .addOption(stateOption())
    .addOption(outputOption(["text", "json", "sarif"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft analyze mesh/\n  $ weft analyze mesh/ --fail-on warning -o sarif > weft.sarif\n  $ weft analyze mesh/ --data-plane web=proxyless\n  $ weft analyze --live",
    )
    .action(async (paths: readonly string[], flags: Flags) => {
      const found = bySeverity(await findings(paths, flags));
      const limit = flags.failOn === "never" ? -1 : severities.indexOf(flags.failOn);
      const shown = found.filter(
        ({ severity }) => flags.all || severity !== "info" || flags.failOn === "info",
      );
      if (flags.output === "json") printJson({ diagnostics: found });
      else if (flags.output === "sarif") printJson(formatSarif(found));
      else for (const diagnostic of shown) process.stdout.write(`${formatDiagnostic(diagnostic)}\n`);
      process.stderr.write(`weft: ${summary(found)}\n`);
      if (found.some(({ severity }) => severities.indexOf(severity) <= limit)) process.exitCode = 1;
    });
}

async function findings(paths: readonly string[], flags: Flags): Promise<readonly Diagnostic[]> {
  if ((flags.live ?? false) === paths.length > 0) {
    throw new UserError("analyze either files or, with --live, the running mesh", {
      hint: "weft analyze DIR, or weft analyze --live",
      exitCode: 2,
    });
  }
  if (flags.live) return (await apiClient(flags).analysis()).diagnostics;
  const written = writtenMesh(readFiles(paths, true), { trustDomain: flags.trustDomain });
  const clients = writtenClients(written, flags.dataPlane ?? []);
  return [...written.diagnostics, ...analyze(written.mesh, written.resources, clients)];
}

/** The worst first; else in the order of files. */
function bySeverity(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const key = ({ severity, origin }: Diagnostic) =>
    [severities.indexOf(severity), origin?.file ?? ""] as const;
  return [...diagnostics].sort((a, b) => {
    const [severityA, fileA] = key(a);
    const [severityB, fileB] = key(b);
    if (severityA !== severityB) return severityA - severityB;
    if (fileA !== fileB) return fileA < fileB ? -1 : 1;
    return (a.origin?.line ?? 0) - (b.origin?.line ?? 0) || (a.origin?.column ?? 0) - (b.origin?.column ?? 0);
  });
}

function summary(found: readonly Diagnostic[]): string {
  const counts = severities.map((severity) => found.filter((one) => one.severity === severity).length);
  if (counts[0] === 0 && counts[1] === 0) return `nothing wrong found; ${count(counts[2]!, "note")}`;
  return `${count(counts[0]!, "error")}, ${count(counts[1]!, "warning")}, ${count(counts[2]!, "note")}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
