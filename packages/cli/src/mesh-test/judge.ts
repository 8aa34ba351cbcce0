import { parseDurationMs } from "@weft/control/config/values";
import { formatMs } from "../explain/describe-policies.ts";
import type { DestinationOutcome, Outcome } from "../explain/explanation.ts";
import type { Expectation, ExpectedDestination, MeshTest } from "./mesh-test.ts";

/** One thing that is not as expected. */
export interface Mismatch {
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

type Judge<K extends keyof Expectation> = (
  expected: NonNullable<Expectation[K]>,
  outcome: Outcome,
) => Mismatch | readonly Mismatch[] | undefined;

/** How each field of an expectation is judged. */
const judges: { readonly [K in keyof Required<Expectation>]: Judge<K> } = {
  result: (expected, { result, summary }) => differs("result", expected, result, summary),
  destinations: judgeDestinations,
  status: (expected, { status = "the destination's own" }) => differs("status", expected, status),
  details: (expected, { details = "none" }) => differs("details", expected, details),
  flags: (expected, { flags = "-" }) => differs("flags", expected, flags),
  route: (expected, { route }) => differs("route", expected, route?.name ?? "none"),
  policy: (expected, { policy }) => {
    const found = /^AuthorizationPolicy ([^,]+)/.exec(policy?.name ?? "")?.[1] ?? "none";
    return differs("policy", expected, found);
  },
  location: (expected, { location = "none" }) => differs("location", expected, location),
  body: (expected, { body = "" }) => differs("body", expected, body),
  timeout: (expected, { timeoutMs = 0 }) =>
    durationOf(expected) === timeoutMs
      ? undefined
      : { what: "timeout", expected, found: formatMs(timeoutMs) },
  retries: judgeRetries,
  fault: judgeFault,
  mirrors(expected, { mirrors = [] }) {
    const found = Object.fromEntries(mirrors.map(({ cluster, percent }) => [hostOf(cluster), percent]));
    const isSame =
      Object.keys(expected).length === mirrors.length &&
      Object.entries(expected).every(([host, percent]) =>
        Object.entries(found).some(([name, share]) => isHost(host, name) && share === percent),
      );
    return isSame
      ? undefined
      : { what: "mirrors", expected: JSON.stringify(expected), found: JSON.stringify(found) };
  },
  host: (expected, { sent }) => differs("host", expected, sent?.authority ?? "nothing is sent"),
  path: (expected, { sent }) => differs("path", expected, sent?.path ?? "nothing is sent"),
  headers: (expected, { sent }) =>
    Object.entries(expected).flatMap(([name, value]) => {
      const found = sent?.headers[name.toLowerCase()];
      return differs(`header ${name}`, value ?? "none", found ?? "none") ?? [];
    }),
  responseHeaders: (expected, { answerHeaders }) =>
    Object.entries(expected).flatMap(
      ([name, value]) =>
        differs(`response header ${name}`, value, answerHeaders?.[name.toLowerCase()] ?? "none") ?? [],
    ),
  tls: (expected, { destinations }) =>
    destinations.flatMap(({ tls, service }) => differs(`tls to ${service}`, expected, tls) ?? []),
};

/** Everything about an outcome that is not as expected. */
export function judge(expect: MeshTest["expect"], outcome: Outcome): readonly Mismatch[] {
  const expectation: Expectation = typeof expect === "string" ? { result: expect } : expect;
  return Object.entries(expectation).flatMap(([field, expected]) => {
    if (expected === undefined) return [];
    const judgeField = judges[field as keyof Expectation] as Judge<keyof Expectation>;
    return judgeField(expected, outcome) ?? [];
  });
}

function differs(what: string, expected: unknown, found: unknown, more = ""): Mismatch | undefined {
  if (expected === found) return undefined;
  return { what, expected: String(expected), found: more ? `${found}: ${more}` : String(found) };
}

/** Destinations that do not arrive are none: their calls come to something else. */
function judgeDestinations(
  expected: readonly ExpectedDestination[],
  { destinations, summary }: Outcome,
): Mismatch | undefined {
  const reached = destinations.filter(({ problem }) => problem === undefined);
  const isSame =
    reached.length === expected.length &&
    expected.every((wanted) => reached.some((found) => isDestination(wanted, found)));
  if (isSame) return undefined;
  return {
    what: "destinations",
    expected: expected
      .map(({ host, subset, port, percent = 100 }) => destinationText(host, subset, port, percent))
      .join(", "),
    found:
      reached.map((one) => destinationText(one.service, one.subset, one.port, one.percent)).join(", ") ||
      `none: ${summary}`,
  };
}

function isDestination(wanted: ExpectedDestination, found: DestinationOutcome): boolean {
  return (
    isHost(wanted.host, found.service) &&
    (wanted.subset ?? "") === found.subset &&
    (wanted.port ?? found.port) === found.port &&
    Math.abs((wanted.percent ?? 100) - found.percent) < 0.001
  );
}

function destinationText(
  host: string,
  subset: string | undefined,
  port: number | undefined,
  percent: number,
): string {
  return `${percent} % to ${host}${port === undefined ? "" : `:${port}`}${subset ? ` ${subset}` : ""}`;
}

/** `reviews` is `reviews.default.svc.cluster.local`, and so is every beginning of it. */
function isHost(wanted: string, hostname: string): boolean {
  return hostname === wanted || hostname.startsWith(`${wanted}.`);
}

/** Of `outbound|9080|v1|host`. */
function hostOf(cluster: string): string {
  return cluster.split("|")[3] ?? cluster;
}

function judgeRetries(
  expected: NonNullable<Expectation["retries"]>,
  { retries }: Outcome,
): readonly Mismatch[] {
  const wanted = typeof expected === "number" ? { attempts: expected } : expected;
  const found = retries ?? { attempts: 0, perTryTimeoutMs: 0, on: [] };
  const mismatches = [
    wanted.attempts === undefined ? undefined : differs("retries", wanted.attempts, found.attempts),
    wanted.perTryTimeout !== undefined && durationOf(wanted.perTryTimeout) !== found.perTryTimeoutMs
      ? { what: "perTryTimeout", expected: wanted.perTryTimeout, found: formatMs(found.perTryTimeoutMs) }
      : undefined,
    wanted.on && differs("retry on", [...wanted.on].sort().join(", "), [...found.on].sort().join(", ")),
  ];
  return mismatches.filter((one) => one !== undefined);
}

function judgeFault(expected: NonNullable<Expectation["fault"]>, { fault }: Outcome): readonly Mismatch[] {
  if (expected === "none") return fault ? [{ what: "fault", expected, found: JSON.stringify(fault) }] : [];
  const mismatches = [
    expected.delay !== undefined && durationOf(expected.delay) !== (fault?.delayMs ?? 0)
      ? { what: "delay", expected: expected.delay, found: formatMs(fault?.delayMs ?? 0) }
      : undefined,
    expected.delayPercent === undefined
      ? undefined
      : differs("delayPercent", expected.delayPercent, fault?.delayPercent ?? 0),
    expected.abort === undefined ? undefined : differs("abort", expected.abort, fault?.abortStatus ?? "none"),
    expected.abortPercent === undefined
      ? undefined
      : differs("abortPercent", expected.abortPercent, fault?.abortPercent ?? 0),
  ];
  return mismatches.filter((one) => one !== undefined);
}

/** NaN, which equals nothing, for what is no duration. */
function durationOf(text: string): number {
  return text === "none" ? 0 : (parseDurationMs(text) ?? Number.NaN);
}
