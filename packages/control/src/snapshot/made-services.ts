import { isSameList } from "@weft/base/same-list";
import type { Endpoint } from "../model/endpoint.ts";
import type { Service } from "../model/service.ts";
import type { PartType, ServiceParts, SidecarPart } from "../translate/part.ts";
import type { Encoded } from "./encode.ts";
import type { Lists } from "./resource-set.ts";

/** What was made of each service by itself. */
export interface MadeServices {
  readonly from: readonly unknown[];
  readonly byKey: ReadonlyMap<string, MadeService>;
  /** Where each service's endpoints are among the lists of their type. */
  readonly endpointsAt: ReadonlyMap<string, number>;
}

interface MadeService {
  readonly service: Service;
  readonly endpoints: readonly Endpoint[] | undefined;
  readonly encoded: readonly (readonly [PartType, Encoded])[];
}

/** Adds to the lists what is made of each service; of most the very same as `last`. */
export function madeServices(
  parts: ServiceParts,
  last: MadeServices | undefined,
  lists: Lists,
  encode: (part: SidecarPart) => Encoded,
): MadeServices {
  const before = last && isSameList(last.from, parts.from) ? last.byKey : undefined;
  const byKey = new Map<string, MadeService>();
  for (const [key, service] of parts.services) {
    const endpoints = parts.endpoints.get(service.hostname);
    let made = before?.get(key);
    if (made?.service !== service || made.endpoints !== endpoints) {
      const encoded = parts.of(service).map((part) => [part.type, encode(part)] as const);
      made = { service, endpoints, encoded };
    }
    for (const [type, encoded] of made.encoded) lists.get(type)!.push(encoded);
    byKey.set(key, made);
  }
  return { from: parts.from, byKey, endpointsAt: placesOfEndpoints(byKey) };
}

function placesOfEndpoints(services: MadeServices["byKey"]): Map<string, number> {
  const places = new Map<string, number>();
  for (const { service, encoded } of services.values()) {
    if (encoded.some(([type]) => type === "endpoint")) places.set(service.hostname, places.size);
  }
  return places;
}
