import { UserError } from "@weft/base/errors";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { Command } from "commander";
import { explainObserved } from "../explain/explain-observed.ts";
import { Explainer } from "../explain/explainer.ts";
import { formatExplanation, formatObserved, formatRecorded } from "../explain/format-explanation.ts";
import { liveReader } from "../explain/live-reader.ts";
import type { MeshReader } from "../explain/mesh-reader.ts";
import { parseQuestion, type Question } from "../explain/question.ts";
import { writtenReader } from "../explain/written-reader.ts";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { type FoundCall, findCall } from "../replay/find-call.ts";
import { readFiles } from "./read-files.ts";

interface Flags {
  readonly from?: string;
  readonly to?: string;
  readonly requestId?: string;
  readonly log: readonly string[];
  readonly method: string;
  readonly header: readonly string[];
  readonly trustDomain: string;
  readonly state?: string;
  readonly output: string;
}

export function command(): Command {
  return new Command("explain")
    .summary("say what a call would do, and why")
    .description(
      "Follows a call from listener to route, policies, cluster, endpoint and identity, each step with the line\n" +
        "of YAML that decides it and what lost against it. It asks the proxy's own matchers and filters, with the\n" +
        "configuration that the control plane makes for both ends; nothing is sent.\n" +
        "With PATH… it asks about those files, as if what they deploy were running; else about the running mesh.\n" +
        "With --request-id it explains a call that was made, hop by hop, from what the data planes remember of it,\n" +
        "or from access logs, and says whether the configuration has been changed since.",
    )
    .argument("[path...]", "YAML files or directories, instead of the running mesh")
    .option("--from <workload>", "who calls: a workload, deployment, service or app, e.g. productpage")
    .option("--to <url>", "what is called, e.g. http://reviews:9080/reviews/1, https://… or tcp://…")
    .option("-X, --method <method>", "method of the request", "GET")
    .option("-H, --header <header>", "a header, 'name: value'; may be repeated", collect, [])
    .option("--request-id <id>", "a call that was made, by its x-request-id, instead of --from and --to")
    .option("--log <file>", "access log to look for it in, [WORKLOAD=]FILE; may be repeated", collect, [])
    .option("--trust-domain <name>", "of identities, with PATH…", "cluster.local")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft explain --from productpage --to http://reviews:9080/x -H 'end-user: jason'\n" +
        "  $ weft explain --request-id 6f1c…\n" +
        "  $ weft explain --request-id 6f1c… --log reviews.log --log productpage=productpage.log\n" +
        "  $ weft explain mesh/ --from productpage --to http://reviews:9080/x -o json | jq .outcome",
    )
    .action(async (paths: readonly string[], flags: Flags) => {
      if (isObserved(paths, flags)) {
        const calls = await explainObserved(flags.requestId!, apiClient(flags));
        if (flags.output === "json") return printJson({ calls });
        process.stdout.write(calls.map(formatObserved).join("\n"));
        return;
      }
      const reader = readerOf(paths, flags);
      const { question, recorded } = await askedCall(flags, reader);
      const explanation = await new Explainer(reader).explain(question);
      if (flags.output === "json") return printJson({ ...explanation, ...(recorded && { recorded }) });
      process.stdout.write(formatExplanation(explanation));
      if (recorded) process.stdout.write(`${formatRecorded(recorded, explanation)}\n`);
    });
}

/** Only a request id: the data planes remember it, or nobody does. */
function isObserved(paths: readonly string[], { requestId, log, from, to }: Flags): boolean {
  return requestId !== undefined && log.length + paths.length === 0 && from === undefined && to === undefined;
}

async function askedCall(
  flags: Flags,
  reader: MeshReader,
): Promise<{ readonly question: Question; readonly recorded?: FoundCall["recorded"] }> {
  const { from, to, requestId, log, method, header } = flags;
  if (requestId !== undefined && log.length > 0 && from === undefined && to === undefined)
    return findCall(requestId, log, reader);
  if (requestId === undefined && from !== undefined && to !== undefined)
    return { question: parseQuestion(from, to, { method, headers: header }) };
  throw new UserError("name a call: --from and --to, or --request-id", {
    hint: "weft explain --help has an example of each",
    exitCode: 2,
  });
}

function readerOf(paths: readonly string[], flags: Flags): MeshReader {
  if (paths.length === 0) return liveReader(apiClient(flags));
  const written = writtenMesh(readFiles(paths, true), { trustDomain: flags.trustDomain });
  const errors = written.diagnostics.filter(({ severity }) => severity === "error").length;
  if (errors > 0)
    process.stderr.write(
      `weft: ${errors} errors in these files: 'weft analyze' shows them; the rest is explained\n`,
    );
  if (written.standIns.length > 0) {
    const names = written.standIns.slice(0, 5).join(", ");
    const more = written.standIns.length > 5 ? ` and ${written.standIns.length - 5} more` : "";
    process.stderr.write(`weft: no Deployment is written for ${names}${more}: taken to run\n`);
  }
  return writtenReader(written);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
