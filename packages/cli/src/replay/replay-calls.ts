import { UserError } from "@weft/base/errors";
import type { Explainer } from "../explain/explainer.ts";
import type { Outcome } from "../explain/explanation.ts";
import type { MeshReader } from "../explain/mesh-reader.ts";
import { parseQuestion } from "../explain/question.ts";
import type { RecordedCalls } from "./recorded-calls.ts";

/** One end of the comparison. */
export interface ReplayedMesh {
  readonly explainer: Explainer;
  readonly reader: MeshReader;
}

/** Calls whose outcome would be another one. */
export interface Difference {
  /** Name of the caller's deployment. */
  readonly caller: string;
  /** Host and port. */
  readonly target: string;
  readonly change: "denied" | "allowed" | "answered" | "reached" | "rerouted" | "other";
  readonly before: string;
  readonly after: string;
  /** The line of YAML that decides, after the change. */
  readonly origin?: string;
  count: number;
  /** One of them. */
  readonly example: string;
}

export interface ReplayReport {
  readonly calls: number;
  /** Calls whose caller nobody knows, or that could not be asked about. */
  readonly unknown: number;
  readonly unchanged: number;
  readonly differences: readonly Difference[];
}

/** Asks both meshes about every recorded call, and says where they differ: the most calls first. */
export async function replayCalls(
  recorded: readonly RecordedCalls[],
  before: ReplayedMesh,
  after: ReplayedMesh,
): Promise<ReplayReport> {
  const differences = new Map<string, Difference>();
  let calls = 0;
  let unknown = 0;
  let unchanged = 0;
  for (const call of recorded) {
    calls += call.count;
    const caller = await callerOf(call, before.reader);
    const outcomes = caller && (await askBoth(call, caller.id, before, after));
    if (!caller || !outcomes) {
      unknown += call.count;
      continue;
    }
    const [was, is] = outcomes;
    if (signature(was) === signature(is)) {
      unchanged += call.count;
      continue;
    }
    const target = new URL(call.url).host;
    const difference: Difference = {
      caller: caller.workloadName,
      target,
      change: changeOf(was, is),
      before: was.summary,
      after: is.summary,
      ...originOf(is),
      count: 0,
      example: `${call.method} ${call.url}`,
    };
    const key = JSON.stringify([caller.workloadName, target, was.summary, is.summary]);
    const known = differences.get(key) ?? difference;
    known.count += call.count;
    differences.set(key, known);
  }
  const sorted = [...differences.values()].sort((a, b) => b.count - a.count);
  return { calls, unknown, unchanged, differences: sorted };
}

async function callerOf({ caller }: RecordedCalls, reader: MeshReader) {
  if ("address" in caller && caller.address === "") return undefined;
  const { workloads } = await reader.findWorkloads(caller);
  return workloads[0];
}

async function askBoth(
  { method, url, headers }: RecordedCalls,
  from: string,
  before: ReplayedMesh,
  after: ReplayedMesh,
): Promise<readonly [Outcome, Outcome] | undefined> {
  try {
    const question = parseQuestion(from, url, { method, headers });
    const was = await before.explainer.explain(question);
    const is = await after.explainer.explain(question);
    return [was.outcome, is.outcome];
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Equal where callers and callees notice no difference. */
function signature(outcome: Outcome): string {
  const { result, status, location, destinations, timeoutMs, retries, fault, mirrors, sent, policy } =
    outcome;
  const reached = destinations.map(({ cluster, percent, tls, problem }) => [
    cluster,
    percent,
    tls,
    problem?.details,
  ]);
  const { "x-request-id": _, ...headers } = sent?.headers ?? {};
  const head = sent && [sent.authority, sent.path, headers];
  return JSON.stringify([
    result,
    status,
    location,
    reached,
    timeoutMs,
    retries,
    fault,
    mirrors,
    head,
    policy?.name,
    outcome.answerHeaders,
  ]);
}

function changeOf(was: Outcome, is: Outcome): Difference["change"] {
  if (is.result === "denied" && was.result !== "denied") return "denied";
  if (was.result === "denied" && is.result !== "denied") return "allowed";
  if (is.result !== "forwarded") return "answered";
  if (was.result !== "forwarded") return "reached";
  const clusters = ({ destinations }: Outcome) =>
    destinations.map(({ cluster, percent }) => `${cluster} ${percent}`).join();
  return clusters(was) === clusters(is) ? "other" : "rerouted";
}

function originOf({ policy, route, result }: Outcome): Pick<Difference, "origin"> {
  const origin = result === "denied" ? policy?.origin : route?.origin;
  return origin === undefined ? {} : { origin };
}
