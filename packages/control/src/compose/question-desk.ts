import type { Clock } from "@weft/base/clock";
import type { Answer, Answers, Question } from "../rollout/questions.ts";
import type { Rollout } from "../rollout/rollout.ts";

export interface QuestionDeskOptions {
  readonly clock: Clock;
  /** Never rejects. */
  readonly answer: (rollout: Rollout, question: Question, signal: AbortSignal) => Promise<Answer>;
}

interface Asked {
  readonly given: AbortController;
  answer: Answer | undefined;
  /** When it is answered. */
  atMs: number;
  isUnderWay: boolean;
}

/** What said no is asked again so soon, or after one interval where that is shorter. */
const againMs = 10_000;

/**
 * Has the questions of one rollout asked beside everything else, each once, and
 * keeps the answers for whoever decides. A question that is no longer asked is
 * given up, and forgotten.
 */
export class QuestionDesk {
  readonly #options: QuestionDeskOptions;
  readonly #asked = new Map<string, Asked>();

  constructor(options: QuestionDeskOptions) {
    this.#options = options;
  }

  /** Those there are, as it stands. */
  get answers(): Answers {
    return new Map([...this.#asked].flatMap(([id, { answer }]) => (answer ? [[id, answer] as const] : [])));
  }

  ask(rollout: Rollout, questions: readonly Question[]): void {
    const wanted = new Set(questions.map(({ id }) => id));
    for (const [id, { given }] of this.#asked) {
      if (wanted.has(id)) continue;
      given.abort();
      this.#asked.delete(id);
    }
    for (const question of questions) if (this.#isDue(question, rollout)) this.#ask(rollout, question);
  }

  close(): void {
    for (const { given } of this.#asked.values()) given.abort();
    this.#asked.clear();
  }

  #isDue(question: Question, { plan }: Rollout): boolean {
    const asked = this.#asked.get(question.id);
    if (!asked) return true;
    if (asked.isUnderWay || asked.answer?.t !== "no") return false;
    if (question.t !== "webhook" || !question.isRepeated) return false;
    return this.#options.clock.monotonicMs() - asked.atMs >= Math.min(againMs, plan.intervalMs);
  }

  #ask(rollout: Rollout, question: Question): void {
    const { clock, answer } = this.#options;
    const before = this.#asked.get(question.id)?.answer;
    const asked: Asked = { given: new AbortController(), answer: before, atMs: 0, isUnderWay: true };
    this.#asked.set(question.id, asked);
    void answer(rollout, question, asked.given.signal).then((said) => {
      asked.answer = said;
      asked.atMs = clock.monotonicMs();
      asked.isUnderWay = false;
    });
  }
}
