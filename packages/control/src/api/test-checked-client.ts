import assert from "node:assert/strict";
import { Ajv } from "ajv";
import type { CallInput } from "./call-route.ts";
import { ApiClient } from "./client.ts";
import type { Route } from "./route.ts";
import type { Admitted, Shape } from "./schema.ts";

const ajv = new Ajv({ strict: false });

/** A client for tests: every answer must have what its route says, and nothing that it does not. */
export class CheckedApiClient extends ApiClient {
  override async call<P extends Shape, Q extends Shape, B, A>(
    route: Route<P, Q, B, A>,
    input?: CallInput<Admitted<P>, Admitted<Q>, B>,
    extraMs?: number,
  ): Promise<A> {
    const answer = await super.call(route, input, extraMs);
    const validate = ajv.compile(closed(route.answer) as object);
    assert.ok(validate(answer), `${route.id}: ${JSON.stringify(validate.errors)}`);
    return answer;
  }
}

/** Without properties that are not described: one in an answer is a lie of the description. */
export function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isObject = inner.type === "object" && typeof inner.properties === "object";
  return isObject && !("additionalProperties" in inner) ? { ...inner, additionalProperties: false } : inner;
}
