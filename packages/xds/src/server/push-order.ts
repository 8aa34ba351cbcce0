import { typeUrl } from "../type-url.ts";

/** One step of a push: the additions and changes of a type, its removals, or both at once. */
export interface PushStep {
  readonly typeUrl: string;
  readonly phase: "update" | "remove" | "both";
}

/**
 * Make before break: what is referred to goes before what refers to it, and is
 * taken away only after nothing refers to it any more.
 */
const steps: readonly PushStep[] = [
  { typeUrl: typeUrl.secret, phase: "update" },
  { typeUrl: typeUrl.cluster, phase: "update" },
  { typeUrl: typeUrl.endpoint, phase: "update" },
  { typeUrl: typeUrl.listener, phase: "both" },
  { typeUrl: typeUrl.route, phase: "both" },
];
const lastSteps: readonly PushStep[] = [
  { typeUrl: typeUrl.cluster, phase: "remove" },
  { typeUrl: typeUrl.endpoint, phase: "remove" },
  { typeUrl: typeUrl.secret, phase: "remove" },
];
const ordered = new Set([...steps, ...lastSteps].map((step) => step.typeUrl));

/** The steps of a push to a client that asked for these types. */
export function* pushSteps(types: ReadonlyMap<string, unknown>): Iterable<PushStep> {
  for (const step of steps) if (types.has(step.typeUrl)) yield step;
  for (const type of types.keys()) if (!ordered.has(type)) yield { typeUrl: type, phase: "both" };
  for (const step of lastSteps) if (types.has(step.typeUrl)) yield step;
}
