import { UserError } from "@weft/base/errors";
import type { ResourceKey } from "@weft/control/api/protocol";
import type { RolloutCommand, RolloutStatus, StartRollout } from "@weft/control/api/rollout-protocol";
import { Command, InvalidArgumentError } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { collect, parseCount, parseDurationMs } from "../options/parse-values.ts";
import { parseKind } from "../options/resource-kind.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { formatAge, formatMs, formatShare } from "../output/units.ts";
import { followRollout } from "../rollout/follow-rollout.ts";
import { eventLine, renderProgress } from "../rollout/render-progress.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
  readonly namespace: string;
}

interface StartFlags extends Flags {
  readonly to: string;
  readonly from?: string;
  readonly steps: readonly number[];
  readonly interval: number;
  readonly success: number;
  readonly p99?: number;
  readonly minRequests: number;
  readonly threshold: number;
  readonly deadline: number;
  readonly mirror?: true | number;
  readonly header?: readonly (readonly [string, string])[];
  readonly iterations: number;
  readonly ackTimeout: number;
  readonly route?: readonly [string, string];
  readonly wait: boolean;
}

const examples = `
Example:
  $ weft rollout reviews --to v3 --steps 5,25,50,100 --interval 30s --success 99 --p99 300ms
  $ weft rollout reviews --to v3 --mirror --header 'x-canary: insider'
  $ weft rollout status reviews --watch
  $ weft rollout pause reviews`;

export function command(): Command {
  return new Command("rollout")
    .summary("shift calls to a new version step by step")
    .description(
      "Shifts the weights in the VirtualService or HTTPRoute of a service step by step to a new version, looks at\n" +
        "what the new version answers, and undoes all of it when that is not good enough: docs/rollouts.md.",
    )
    .usage("SERVICE --to VERSION [options] | status|pause|resume|promote|abort|undo SERVICE")
    .addCommand(startCommand(), { isDefault: true })
    .addCommand(statusCommand())
    .addCommand(plainCommand("pause", "hold it where it is; what fails is undone all the same"))
    .addCommand(plainCommand("resume", "go on with one that was paused"))
    .addCommand(promoteCommand())
    .addCommand(plainCommand("abort", "end it, and make the route what it was"))
    .addCommand(plainCommand("undo", "make the route what it was before one that was promoted"))
    .addHelpText("after", `${examples}\n\n'weft rollout start --help' explains every option of a rollout.`);
}

function startCommand(): Command {
  return withCommon(new Command("start"))
    .summary("begin one and follow it (without the word: weft rollout SERVICE --to VERSION)")
    .description(
      "Gives the new version each share of the calls for one interval, and the next only when at least --min-requests\n" +
        "calls were as good as --success and --p99 ask, after every proxy has acknowledged each change. What leaves\n" +
        "no doubt is undone before the interval is over. Ctrl-C leaves it running in the control plane.\n\n" +
        "Exit codes: 0 promoted, 5 rolled back, aborted or undone, 130 left running by Ctrl-C.",
    )
    .argument("<service>", "name of the service")
    .requiredOption("--to <version>", "the new version: a subset, its label version, or a backend")
    .option("--from <version>", "the version that gives way (default: the one that gets the calls)")
    .option("--steps <percents>", "share of the calls in each step", parseSteps, [5, 25, 50, 100])
    .option("--interval <time>", "how long each step is measured", parseDurationMs, 30_000)
    .option("--success <percent>", "calls without a server error, at least", parsePercent, 99)
    .option("--p99 <time>", "99 of 100 calls are this fast", parseDurationMs)
    .option("--min-requests <count>", "fewer calls say nothing", parseCount, 10)
    .option("--threshold <count>", "failed checks that undo it", parseCount, 1)
    .option("--deadline <time>", "how long a step waits for enough calls", parseDurationMs, 600_000)
    .option("--mirror [percent]", "first copy this share of the calls to it (default: all)", parsePercent)
    .option(
      "--header <name: value>",
      "requests with it go to the new version first; repeatable: any",
      collect(parseHeader),
    )
    .option("--iterations <count>", "intervals of copies, and of matching requests", parseCount, 1)
    .option("--ack-timeout <time>", "how long the proxies may take for a change", parseDurationMs, 30_000)
    .option("--route <kind/name>", "the route to change, where several are of this service", parseRoute)
    .option("--no-wait", "return as soon as it has begun")
    .addHelpText("after", examples)
    .action(async (service: string, flags: StartFlags) => {
      const api = apiClient(flags);
      const begun = await api.startRollout(requestOf(service, flags));
      if (flags.wait) return followRollout(api, begun, flags);
      if (flags.output === "json") return printJson(begun);
      process.stderr.write(`weft: the rollout of ${service} to ${begun.to} has begun\n`);
    });
}

function requestOf(service: string, flags: StartFlags): StartRollout {
  const { namespace, to, from, steps, mirror, header, route, p99 } = flags;
  return {
    namespace,
    service,
    to,
    ...(from !== undefined && { from }),
    steps,
    intervalMs: flags.interval,
    criteria: {
      successPercent: flags.success,
      ...(p99 !== undefined && { p99Ms: p99 }),
      minRequests: flags.minRequests,
    },
    threshold: flags.threshold,
    deadlineMs: flags.deadline,
    ...(mirror !== undefined && { mirrorPercent: mirror === true ? 100 : mirror }),
    ...(header && { match: header.map(([name, exact]) => ({ headers: { [name]: { exact } } })) }),
    iterations: flags.iterations,
    ackTimeoutMs: flags.ackTimeout,
    ...(route && { route: keyOf(route, namespace) }),
  };
}

function statusCommand(): Command {
  return withCommon(new Command("status"), ["table", "json"])
    .summary("show the rollouts, or one of them")
    .description(
      "Shows the rollouts under way and the last one of each service; of one service also what happened.",
    )
    .argument("[service]", "name of the service")
    .option("-w, --watch", "follow it until it is over; exit codes as of a rollout")
    .addHelpText("after", "\nExample:\n  $ weft rollout status\n  $ weft rollout status reviews --watch")
    .action(async (service: string | undefined, flags: Flags & { readonly watch?: boolean }) => {
      const api = apiClient(flags);
      if (service === undefined) {
        if (flags.watch) {
          throw new UserError("--watch follows one rollout", { hint: "name its service", exitCode: 2 });
        }
        return printAll(await api.rollouts(), flags);
      }
      const status = await api.rollout(flags.namespace, service);
      if (flags.watch) return followRollout(api, status, flags);
      if (flags.output === "json") return printJson(status);
      const lines = [
        ...status.events.slice(-maxShownEvents).map((event) => eventLine(event, status)),
        ...renderProgress(status, terminalWidth() ?? Number.POSITIVE_INFINITY),
      ];
      process.stdout.write(lines.map((line) => `${line}\n`).join(""));
    });
}

const maxShownEvents = 40;

function promoteCommand(): Command {
  return plainCommand("promote", "go on to the next step now, also from a pause", (flags) =>
    (flags as { readonly full?: boolean }).full ? "promote-full" : "promote",
  ).option("--full", "past all steps: all calls go to the new version now");
}

function plainCommand(
  name: RolloutCommand,
  summary: string,
  commandOf: (flags: object) => RolloutCommand = () => name,
): Command {
  return withCommon(new Command(name))
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .argument("<service>", "name of the service")
    .addHelpText("after", `\nExample:\n  $ weft rollout ${name} reviews`)
    .action(async (service: string, flags: Flags) => {
      const status = await apiClient(flags).commandRollout(flags.namespace, service, commandOf(flags));
      if (flags.output === "json") return printJson(status);
      for (const event of status.events) process.stdout.write(`${eventLine(event, status)}\n`);
    });
}

function withCommon(command: Command, outputs: readonly string[] = ["text", "json"]): Command {
  return command
    .option("-n, --namespace <name>", "namespace of the service", "default")
    .addOption(stateOption())
    .addOption(outputOption(outputs));
}

function printAll(all: readonly RolloutStatus[], { output }: Flags): void {
  if (output === "json") return void printJson({ rollouts: all });
  if (all.length === 0)
    process.stderr.write("weft: there has been no rollout; 'weft rollout --help' shows how to begin one\n");
  const now = Date.now();
  const columns = [
    { title: "NAMESPACE", value: (one: RolloutStatus) => one.namespace },
    { title: "SERVICE", value: (one: RolloutStatus) => one.service },
    { title: "VERSIONS", value: (one: RolloutStatus) => `${one.from} → ${one.to}` },
    { title: "PHASE", value: (one: RolloutStatus) => one.phase },
    {
      title: "STEP",
      value: ({ stage, stages }: RolloutStatus) => `${Math.min(stage + 1, stages.length)}/${stages.length}`,
    },
    { title: "WEIGHT", value: (one: RolloutStatus) => `${one.weight} %`, align: "right" as const },
    { title: "ACTUAL", value: (one: RolloutStatus) => formatShare(one.actualShare), align: "right" as const },
    { title: "SUCCESS", value: successOf, align: "right" as const },
    { title: "P99", value: (one: RolloutStatus) => formatMs(one.canary?.p99Ms), align: "right" as const },
    {
      title: "AGE",
      value: (one: RolloutStatus) => formatAge(now - one.startedAtMs),
      align: "right" as const,
    },
    {
      title: "WHY",
      value: (one: RolloutStatus) =>
        one.reason ?? (one.waitingFor === undefined ? "" : `waits: ${one.waitingFor}`),
      canShrink: true,
    },
  ];
  process.stdout.write(formatTable(columns, all, terminalWidth()));
}

function successOf({ canary }: RolloutStatus): string {
  return formatShare(canary && canary.requests > 0 ? 1 - canary.failures / canary.requests : undefined);
}

function parseSteps(text: string): readonly number[] {
  const steps = text
    .split(",")
    .map((part) => (/^\d{1,3}%?$/.test(part.trim()) ? Number.parseInt(part, 10) : 0));
  const isRising = steps.every((step, i) => step >= 1 && step <= 100 && (i === 0 || step > steps[i - 1]!));
  if (!isRising)
    throw new InvalidArgumentError(
      "write whole percentages, each more than the one before, as in 5,25,50,100.",
    );
  return steps;
}

function parsePercent(text: string): number {
  const percent = /^\d{1,3}(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : -1;
  if (percent < 0 || percent > 100) throw new InvalidArgumentError("write a percentage from 0 to 100.");
  return percent;
}

function parseHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("write NAME: VALUE, as in 'x-canary: insider'.");
  return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
}

function parseRoute(text: string): readonly [string, string] {
  const [word = "", name = "", ...rest] = text.split("/");
  const kind = name === "" || rest.length > 0 ? undefined : parseKind(word);
  if (kind === "VirtualService" || kind === "HTTPRoute") return [kind, name];
  throw new InvalidArgumentError("write for example VirtualService/reviews or HTTPRoute/reviews.");
}

function keyOf([kind, name]: readonly [string, string], namespace: string): ResourceKey {
  return { kind, namespace, name };
}
