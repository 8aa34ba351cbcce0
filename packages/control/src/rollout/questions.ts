import type { RolloutQuery, RolloutWebhook } from "../api/rollout-protocol.ts";
import type { Measurement } from "./judge.ts";
import { type Held, type Rollout, stagesOf } from "./rollout.ts";

/** What is to be asked of the world before a rollout goes on. The same `id` is the same question. */
export type Question = { readonly id: string } & (
  | { readonly t: "webhook"; readonly hook: RolloutWebhook; readonly isRepeated: boolean }
  | { readonly t: "query"; readonly query: RolloutQuery }
);

/** `yes`: 200 to 202, or a value; `no`: anything else, or nobody in time. */
export type Answer =
  | { readonly t: "yes"; readonly value?: number }
  | { readonly t: "no"; readonly why: string };

export type Answers = ReadonlyMap<string, Answer>;
export const noAnswers: Answers = new Map();

type HookType = RolloutWebhook["type"];

/**
 * Everything whose answer the rollout needs now, in no order. Webhooks of one
 * interval are asked once in it, those that confirm or roll back again and again
 * until they say yes; a question that is no longer there needs no answer.
 */
export function questionsOf(
  rollout: Rollout,
  measurement: Measurement | undefined,
  answers: Answers,
  atMs: number,
): readonly Question[] {
  const { activity, plan, isPaused } = rollout;
  const ask = (type: HookType, isRepeated: boolean) => hookQuestions(rollout, type, isRepeated);
  if (activity.t === "await") {
    if (activity.what === "end") return ask("post-rollout", false);
    const confirmations = confirmationsOf(rollout, "start");
    const isConfirmed = allYes(confirmations, answers);
    const preparing = isConfirmed && atMs >= activity.againAtMs ? ask("pre-rollout", false) : [];
    return [...ask("rollback", true), ...confirmations, ...preparing];
  }
  if (activity.t !== "measure") return [];
  const isDone = (measurement?.elapsedMs ?? 0) >= plan.intervalMs;
  const checks = checkQuestions(rollout);
  return [
    ...ask("rollback", true),
    ...checks.filter(({ t }) => t === "webhook" || isDone),
    ...(isDone && !isPaused && allYes(checks, answers) ? confirmationsOf(rollout, "next") : []),
  ];
}

/** What a step is judged by besides its calls. */
export function checkQuestions(rollout: Rollout): readonly Question[] {
  const queries = (rollout.plan.queries ?? []).map((query, i): Question => {
    return { id: `${rollout.check} query ${i}`, t: "query", query };
  });
  return [...hookQuestions(rollout, "rollout", false), ...queries];
}

/** Who must say yes before the first step, or before what comes after this one. */
export function confirmationsOf(rollout: Rollout, before: "start" | "next"): readonly Question[] {
  const next = before === "start" ? 0 : rollout.stage + 1;
  const stages = stagesOf(rollout.plan);
  const isIncrease = stages[next]?.kind === "weight";
  return [
    ...(before === "start" ? hookQuestions(rollout, "confirm-rollout", true) : []),
    ...(isIncrease ? hookQuestions(rollout, "confirm-traffic-increase", before === "start") : []),
    ...(next === stages.length ? hookQuestions(rollout, "confirm-promotion", false) : []),
  ];
}

export function hookQuestions(rollout: Rollout, type: HookType, isRepeated: boolean): readonly Question[] {
  return (rollout.plan.webhooks ?? []).flatMap((hook, i): Question[] =>
    hook.type === type ? [{ id: `${rollout.check} hook ${i}`, t: "webhook", hook, isRepeated }] : [],
  );
}

export function allYes(questions: readonly Question[], answers: Answers): boolean {
  return questions.every(({ id }) => answers.get(id)?.t === "yes");
}

/** True while one has not been answered. */
export function isOpen(questions: readonly Question[], answers: Answers): boolean {
  return questions.some(({ id }) => !answers.has(id));
}

export function hookName({ type, name }: Pick<RolloutWebhook, "type" | "name">): string {
  return `${type} webhook ${name}`;
}

/** The first webhook that said no. */
export function firstHeld(questions: readonly Question[], answers: Answers): Held | undefined {
  for (const question of questions) {
    const answer = answers.get(question.id);
    if (question.t === "webhook" && answer?.t === "no") {
      return { webhook: hookName(question.hook), said: answer.why };
    }
  }
  return undefined;
}

/** The first that said no, or whose value is out of its bounds, in words. */
export function firstRefusal(questions: readonly Question[], answers: Answers): string | undefined {
  for (const question of questions) {
    const answer = answers.get(question.id);
    const why = answer && refusal(question, answer);
    if (why !== undefined) return why;
  }
  return undefined;
}

function refusal(question: Question, answer: Answer): string | undefined {
  if (question.t === "webhook") {
    return answer.t === "no" ? `${hookName(question.hook)} ${answer.why}` : undefined;
  }
  const { name, min, max } = question.query;
  if (answer.t === "no") return `metric ${name}: ${answer.why}`;
  const { value = Number.NaN } = answer;
  const shown = `metric ${name} is ${Number(value.toPrecision(6))}`;
  if (min !== undefined && !(value >= min)) return `${shown}, less than ${min}`;
  if (max !== undefined && !(value <= max)) return `${shown}, more than ${max}`;
  return undefined;
}
