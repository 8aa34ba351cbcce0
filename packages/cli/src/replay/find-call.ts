import { UserError } from "@weft/base/errors";
import type { MeshReader } from "../explain/mesh-reader.ts";
import { parseQuestion, type Question } from "../explain/question.ts";
import { logLines } from "./log-lines.ts";
import { type LoggedCall, parseAccessLogLine } from "./parse-access-log.ts";
import { hostOf, urlOf } from "./recorded-calls.ts";

/** A call that was made, and what came of it. */
export interface FoundCall {
  readonly question: Question;
  /** As the log has it. */
  readonly recorded: {
    readonly status: number;
    readonly flags: string;
    readonly details: string;
    /** `file:line`. */
    readonly place: string;
  };
}

/**
 * Finds the call of a request id in access logs: what the caller's proxy wrote
 * of it where that is among them, else what the callee's did.
 *
 * @throws UserError where no log has it, or nobody knows its caller
 */
export async function findCall(
  requestId: string,
  logs: readonly string[],
  reader: MeshReader,
): Promise<FoundCall> {
  let found:
    | {
        readonly call: LoggedCall;
        readonly url: string;
        readonly of: string | undefined;
        readonly place: string;
      }
    | undefined;
  for await (const { text, workload, place } of logLines(logs)) {
    // Most lines are not it: they are not read.
    if (!text.includes(requestId)) continue;
    const call = parseAccessLogLine(text);
    const url = call?.requestId === requestId ? urlOf(call) : undefined;
    if (!call || !url) continue;
    const isInbound = call.cluster.startsWith("inbound|");
    if (found && isInbound) continue;
    found = { call, url, of: isInbound ? undefined : workload, place };
    if (!isInbound) break;
  }
  if (!found) {
    throw new UserError(`no call with the request id ${requestId} is in these logs`, {
      hint: "name the logs of the caller's or the callee's sidecar with --log",
    });
  }
  const { call, url, of, place } = found;
  const { method, remote, userAgent, status, flags, details } = call;
  const headers = userAgent === "" ? [] : [`user-agent: ${userAgent}`];
  const from = of ?? (await callerAt(hostOf(remote), reader));
  return {
    question: parseQuestion(from, url, { method, headers }),
    recorded: { status, flags, details, place },
  };
}

async function callerAt(address: string, reader: MeshReader): Promise<string> {
  const { workloads } = await reader.findWorkloads({ address });
  const [caller] = workloads;
  if (caller) return caller.id;
  throw new UserError(`no workload is known at ${address}, which called`, {
    hint: "say whose log it is: --log WORKLOAD=FILE",
  });
}
