import { create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { Backoff } from "@weft/base/backoff";
import type { Clock, Timer } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import type { WatchLine } from "@weft/proxy/observe/serve-requests";
import {
  type AgentMessage,
  AgentMessageSchema,
  type ControlMessage,
  ControlMessageSchema,
  EventsSchema,
  type ObservedRequest as ObservedRequestMessage,
  ObservedRequestSchema,
  ObserveService,
  type Recall,
  RecallSchema,
  type Watch,
  WatchSchema,
} from "@weft/xds/gen/weft/observe/v1/observe_pb";
import type { ClientCall } from "@weft/xds/grpc/client-call";
import type { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { methodPath } from "@weft/xds/grpc/grpc-route";
import type { ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";
import type { RequestSource } from "./request-source.ts";

export interface ObserveClientOptions {
  readonly clock: Clock;
  readonly channel: GrpcChannel;
  /** The workload's instance, as it is registered. */
  readonly instance: string;
  readonly source: RequestSource;
}

/** What one answer may hold: less than the control plane takes in a message. */
const maxRecalledBytes = 2 << 20;
/** Watches at once; more are not begun. */
const maxWatches = 64;

/**
 * Shows the requests of a workload's data plane to the control plane: one call
 * that stays open and on which nothing is said until somebody watches. What the
 * control plane does not take in time is lost to the watcher, and counted.
 */
export class ObserveClient {
  readonly #options: ObserveClientOptions;
  readonly #backoff = new Backoff({ baseMs: 500, maxMs: 10_000 });
  readonly #watches = new Map<number, () => void>();
  #call: ClientCall | undefined;
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: ObserveClientOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#call?.cancel();
    this.#stopWatches();
  }

  async #open(): Promise<void> {
    const { channel, instance } = this.#options;
    try {
      const call = await channel.open(methodPath(ObserveService.method.attach), [], {
        onMessage: (bytes) => {
          this.#backoff.reset();
          this.#onMessage(fromBinary(ControlMessageSchema, bytes));
        },
        onEnd: () => this.#onEnd(),
      });
      if (this.#isClosed) return call.cancel();
      this.#call = call;
      this.#send({ case: "attach", value: { $typeName: "weft.observe.v1.Attach", instance } });
    } catch {
      this.#onEnd(); // the control plane is away
    }
  }

  #onEnd(): void {
    this.#call = undefined;
    this.#stopWatches();
    if (this.#isClosed) return;
    this.#retry = this.#options.clock.setTimer(() => void this.#open(), this.#backoff.nextMs());
  }

  #stopWatches(): void {
    for (const stop of this.#watches.values()) stop();
    this.#watches.clear();
  }

  #onMessage({ id, kind }: ControlMessage): void {
    if (kind.case === "watch") this.#watch(id, kind.value);
    else if (kind.case === "recall") void this.#recall(id, kind.value);
    else if (kind.case === "unwatch") {
      this.#watches.get(id)?.();
      this.#watches.delete(id);
    }
  }

  #watch(watch: number, said: Watch): void {
    if (this.#watches.has(watch) || this.#watches.size >= maxWatches) return;
    let lost = 0;
    let limited = 0;
    const onLine = (line: WatchLine) => {
      lost += line.lost ?? 0;
      limited += line.limited ?? 0;
      const events = line.events ?? [];
      if (this.#call?.isWritable !== true) {
        lost += events.length;
        return;
      }
      const message = fromJson(EventsSchema, { watch, events, lost, limited } as unknown as JsonValue);
      this.#send({ case: "events", value: message });
      lost = 0;
      limited = 0;
    };
    const plan = toJson(WatchSchema, said) as WatchPlan;
    this.#watches.set(watch, this.#options.source.watch(plan, onLine));
  }

  async #recall(recall: number, said: Recall): Promise<void> {
    const answer = { $typeName: "weft.observe.v1.Recalled" as const, recall, requests: [], problem: "" };
    try {
      const requests = await this.#options.source.recall(toJson(RecallSchema, said) as RecallPlan);
      this.#send({ case: "recalled", value: { ...answer, requests: fitting(requests) } });
    } catch (error) {
      this.#send({ case: "recalled", value: { ...answer, problem: messageOf(error) } });
    }
  }

  #send(kind: AgentMessage["kind"]): void {
    this.#call?.send(toBinary(AgentMessageSchema, create(AgentMessageSchema, { kind })));
  }
}

/** As many of them, from the newest on, as fit into an answer. */
function fitting(requests: readonly ObservedRequest[]): ObservedRequestMessage[] {
  const messages: ObservedRequestMessage[] = [];
  let bytes = 0;
  for (const one of requests) {
    const message = fromJson(ObservedRequestSchema, one as unknown as JsonValue);
    bytes += toBinary(ObservedRequestSchema, message).length;
    if (bytes > maxRecalledBytes) break;
    messages.push(message);
  }
  return messages;
}
