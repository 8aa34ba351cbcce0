import type { SessionPersistenceSpec } from "../../config/gateway-api-specs.ts";
import { parseDurationMs } from "../../config/values.ts";
import type { SessionCarrier } from "../routing.ts";

/** A cookie without a name has one that no other rule's has: sessions of several rules are apart. */
export function sessionCarrier(
  { type = "Cookie", cookie, header, absoluteTimeout }: SessionPersistenceSpec,
  rule: {
    readonly path: string;
    readonly resource: { readonly namespace: string; readonly name: string };
  },
): SessionCarrier {
  if (type === "Header") return { kind: "header", name: header!.name.toLowerCase() };
  const { namespace, name } = rule.resource;
  return {
    kind: "cookie",
    name: cookie?.name ?? `weft-session-${namespace}-${name}-${rule.path.replace(/\D/g, "")}`,
    path: cookie?.path || "/",
    lifetimeMs: absoluteTimeout === undefined ? undefined : parseDurationMs(absoluteTimeout)!,
  };
}
