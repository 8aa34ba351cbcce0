import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Observation, Outcome } from "./run-config.ts";

/** Which part of an observation differs. */
export type Aspect = keyof Observation;

/**
 * Why a divergence is allowed. `refused`: Envoy forwards what is refused here.
 * `reply`: both refuse, in other words. `purpose`: different for a reason that
 * stands beside it.
 */
export type DivergenceKind = "refused" | "reply" | "purpose";

/** One known difference and the cases that show it. */
export interface Divergence {
  readonly kind: DivergenceKind;
  readonly input: string;
  readonly here: string;
  readonly envoy: string;
  readonly why: string;
  /** Case name → what differs. */
  readonly cases: ReadonlyMap<string, readonly Aspect[]>;
}

const aspects: readonly Aspect[] = ["answer", "upstream", "log"];

/** Reads `divergences.yaml`. */
export function loadDivergences(): readonly Divergence[] {
  const list = parse(readFileSync(join(import.meta.dirname, "divergences.yaml"), "utf8")) as readonly (Omit<
    Divergence,
    "cases"
  > & { readonly cases: Readonly<Record<string, string>> })[];
  return list.map((entry) => ({
    ...entry,
    cases: new Map(
      Object.entries(entry.cases).map(([name, text]) => [name, text.split(" ") as readonly Aspect[]]),
    ),
  }));
}

/** The parts in which the two proxies were seen to differ. */
export function differingAspects({ envoy, weft }: Outcome): readonly Aspect[] {
  return aspects.filter((aspect) => envoy[aspect] !== weft[aspect]);
}

/** One sentence for everything that is not as the list says, in either direction; with the case it is about. */
export function judge(
  outcomes: readonly Outcome[],
  divergences: readonly Divergence[],
): readonly { readonly name: string; readonly problem: string }[] {
  const listed = new Map<string, { readonly aspects: readonly Aspect[]; readonly kind: DivergenceKind }>();
  const problems: { name: string; problem: string }[] = [];
  for (const { cases, kind } of divergences) {
    for (const [name, differing] of cases) {
      if (listed.has(name)) problems.push({ name, problem: "is listed twice" });
      listed.set(name, { aspects: differing, kind });
    }
  }
  for (const outcome of outcomes) {
    const { name } = outcome;
    const expected = listed.get(name);
    listed.delete(name);
    const differing = differingAspects(outcome).join(" ");
    const allowed = expected?.aspects.join(" ") ?? "";
    if (isHanging(outcome)) problems.push({ name, problem: "neither proxy ends it" });
    else if (differing !== allowed) {
      problems.push({
        name,
        problem: `differs in: ${differing || "nothing"}; listed: ${allowed || "nothing"}`,
      });
    } else if (expected && !isStricter(expected.kind, outcome)) {
      problems.push({ name, problem: `is listed as ${expected.kind}, which it is not` });
    }
  }
  return problems;
}

/** Names that the list holds and no case has. */
export function unknownNames(
  names: ReadonlySet<string>,
  divergences: readonly Divergence[],
): readonly string[] {
  return divergences.flatMap(({ cases }) => [...cases.keys()]).filter((name) => !names.has(name));
}

/** A case that only the client's patience ends says nothing, and costs seconds. */
function isHanging({ envoy, weft }: Outcome): boolean {
  return [envoy, weft].every(({ answer }) => answer.endsWith("nothing more came"));
}

/**
 * A refusal must be one: of the request, of which the upstream then sees
 * nothing, or of the upstream's answer.
 */
function isStricter(kind: DivergenceKind, { envoy, weft }: Outcome): boolean {
  if (kind === "purpose") return true;
  const passed = ({ answer }: Observation) =>
    /(?:^|\n)(?:HTTP\/1\.1|:status:) [123]\d\d/.test(answer) && !/grpc-status: [1-9]/.test(answer);
  const isRefused = !passed(weft) || weft.answer.split("\n\n").length < envoy.answer.split("\n\n").length;
  if (kind === "reply") return !passed(weft) && !passed(envoy);
  const isKeptFromUpstream = weft.upstream === "" || weft.upstream === envoy.upstream;
  return isRefused && isKeptFromUpstream && envoy.answer !== weft.answer;
}
