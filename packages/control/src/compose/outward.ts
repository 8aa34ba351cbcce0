import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { RolloutEvent, RolloutWebhook } from "../api/rollout-protocol.ts";
import { AddressGuard } from "../egress/address-guard.ts";
import { guardedRequest } from "../egress/guarded-request.ts";
import { type Post, PrometheusClient, plainPost } from "../prometheus/prometheus-client.ts";
import type { Answer, Question } from "../rollout/questions.ts";
import type { Rollout } from "../rollout/rollout.ts";
import { webhookPayload } from "../rollout/webhook-payload.ts";

/** Where the webhooks, metrics and alerts of rollouts may be. */
export interface CanaryReach {
  /** Addresses and ranges beside the public ones, also over plain HTTP. */
  readonly allowed?: readonly string[];
  /** Asked for queries that name no other, wherever it is. */
  readonly prometheusUrl?: string | undefined;
}

const queryMs = 10_000;
const retryMs = 1_000;
/** Of what a webhook answers people are shown the beginning. */
const maxAnswerBytes = 64 << 10;
const maxVectorBytes = 1 << 20;
const maxShown = 200;

/** Asks webhooks and Prometheus for rollouts, and sends what they are told. Nothing here throws: nobody there is an answer. */
export class Outward {
  readonly #clock: Clock;
  readonly #guard: AddressGuard;
  readonly #prometheusUrl: string | undefined;

  constructor(clock: Clock, { allowed, prometheusUrl }: CanaryReach = {}) {
    this.#clock = clock;
    this.#guard = new AddressGuard(allowed);
    this.#prometheusUrl = prometheusUrl;
  }

  /** Whether the control plane has a Prometheus of its own. */
  get hasPrometheus(): boolean {
    return this.#prometheusUrl !== undefined;
  }

  async answer(rollout: Rollout, question: Question, signal: AbortSignal): Promise<Answer> {
    if (question.t === "webhook") return this.call(rollout, question.hook, undefined, signal);
    const { url, query } = question.query;
    const asked = url ?? this.#prometheusUrl;
    if (asked === undefined) return { t: "no", why: "there is no Prometheus: see --prometheus-url" };
    try {
      const post = url === undefined ? plainPost : this.#guardedPost(signal);
      const [first] = await new PrometheusClient({ url: asked, timeoutMs: queryMs, post }).ask(query);
      if (first && !Number.isNaN(first.value)) return { t: "yes", value: first.value };
      return { t: "no", why: "Prometheus has no value for it" };
    } catch (error) {
      return { t: "no", why: `Prometheus: ${oneLine(messageOf(error))}` };
    }
  }

  /** Calls a webhook, again as often as it says. */
  async call(
    rollout: Rollout,
    hook: RolloutWebhook,
    event: RolloutEvent | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const text = JSON.stringify(webhookPayload(rollout, hook, event));
    for (let tried = 0; ; tried += 1) {
      const why = await this.post(hook.url, text, hook.timeoutMs, signal);
      if (why === undefined) return { t: "yes" };
      if (tried >= hook.retries || signal.aborted) return { t: "no", why };
      await this.#clock.sleepMs(retryMs, signal).catch(() => {});
    }
  }

  /** Sends JSON; why it did not arrive, or undefined. */
  async post(url: string, text: string, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await guardedRequest(new URL(url), {
        guard: this.#guard,
        allowFlag: "--canary-allow",
        signal: AbortSignal.any([timeout, signal]),
        maxBytes: maxAnswerBytes,
        content: { type: "application/json", text },
      });
      if (answer.status >= 200 && answer.status <= 202) return undefined;
      const said = oneLine(answer.text);
      return `answered ${answer.status}${said === "" ? "" : `: ${said}`}`;
    } catch (error) {
      if (timeout.aborted) return `did not answer within ${timeoutMs / 1_000} s`;
      return `is not reached: ${oneLine(messageOf(error))}`;
    }
  }

  #guardedPost(signal: AbortSignal): Post {
    return async (url, form, timeoutMs) =>
      guardedRequest(new URL(url), {
        guard: this.#guard,
        allowFlag: "--canary-allow",
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), signal]),
        maxBytes: maxVectorBytes,
        content: { type: "application/x-www-form-urlencoded", text: form },
      });
  }
}

function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, maxShown);
}
