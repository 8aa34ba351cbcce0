import { fromJson, type JsonObject, type JsonValue, type Message } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import type { PeakEwmaPlan } from "../cluster/balancer-plan.ts";
import { durationMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";
import { readKeys } from "./json-fields.ts";

/** Envoy's contrib extension: its message is not part of the published API, so it comes as a TypedStruct. */
const peakEwmaType = "envoy.extensions.load_balancing_policies.peak_ewma.v3alpha.PeakEwma";
const fieldNames = ["decay_time", "default_rtt"] as const;

export interface NamedStruct {
  readonly typeName: string;
  readonly value: JsonObject;
}

/** What a TypedStruct stands for; undefined for any other message. */
export function typedStructOf(message: Message): NamedStruct | undefined {
  if (!message.$typeName.endsWith(".TypedStruct")) return undefined;
  const { typeUrl, value } = message as Message & { readonly typeUrl: string; readonly value?: JsonObject };
  return { typeName: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value: value ?? {} };
}

export function decodePeakEwma({ typeName, value }: NamedStruct, path: string, issues: Issues): PeakEwmaPlan {
  if (typeName !== peakEwmaType) {
    issues.add(
      at(path, "type_url"),
      `${typeName} is not implemented by this proxy`,
      `only ${peakEwmaType} is`,
    );
  }
  const place = at(path, "value");
  const fields = readKeys(value, fieldNames, place, issues);
  const duration = (name: string, fallbackMs: number) => {
    const json = fields.get(name);
    if (json === undefined) return fallbackMs;
    const ms = durationMs(parseDuration(json), 0);
    if (ms <= 0) issues.add(at(place, name), "is a duration above 0", "such as 10s");
    return ms;
  };
  return {
    kind: "peak-ewma",
    decayMs: duration("decay_time", 10_000),
    defaultRttMs: duration("default_rtt", 10),
  };
}

function parseDuration(json: unknown): Duration | undefined {
  try {
    return fromJson(DurationSchema, json as JsonValue);
  } catch {
    return undefined;
  }
}
