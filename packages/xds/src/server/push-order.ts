import { typeUrl } from "../type-url.ts";

/** One step of a push: the additions and changes of a type, its removals, or both at once. */
export interface PushStep {
  readonly typeUrl: string;
  readonly phase: "update" | "remove" | "both";
  /** Types whose last response must have been answered before. */
  readonly after: readonly string[];
}

const { secret, cluster, endpoint, listener, route, virtualHost } = typeUrl;

/**
 * Make before break: what is referred to goes before what refers to it, and is
 * taken away only after nothing refers to it any more.
 *
 * The order on the stream is not enough where a client asks for more before it
 * is ready: a new cluster is usable only once its endpoints were asked for and
 * given. So routes wait for the answers about clusters and endpoints, and
 * removals for those about listeners and routes.
 */
const steps: readonly PushStep[] = [
  { typeUrl: secret, phase: "update", after: [] },
  { typeUrl: cluster, phase: "update", after: [] },
  { typeUrl: endpoint, phase: "update", after: [] },
  { typeUrl: listener, phase: "both", after: [secret, cluster, endpoint] },
  { typeUrl: route, phase: "both", after: [cluster, endpoint] },
  { typeUrl: virtualHost, phase: "both", after: [cluster, endpoint] },
];
const lastSteps: readonly PushStep[] = [
  { typeUrl: cluster, phase: "remove", after: [listener, route, virtualHost] },
  { typeUrl: endpoint, phase: "remove", after: [listener, route, virtualHost] },
  { typeUrl: secret, phase: "remove", after: [listener, cluster] },
];
const ordered = new Set([...steps, ...lastSteps].map((step) => step.typeUrl));

/** The steps of a push to a client that asked for these types. */
export function* pushSteps(types: ReadonlyMap<string, unknown>): Iterable<PushStep> {
  for (const step of steps) if (types.has(step.typeUrl)) yield step;
  for (const type of types.keys()) if (!ordered.has(type)) yield { typeUrl: type, phase: "both", after: [] };
  for (const step of lastSteps) if (types.has(step.typeUrl)) yield step;
}
