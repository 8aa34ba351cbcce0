import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import type { JsonObject } from "./json-web-token.ts";

/** The value under nested names, or undefined. */
export function valueOfClaim(payload: JsonObject, names: readonly string[]): MetadataValue | undefined {
  let value: MetadataValue | undefined = payload;
  for (const name of names) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
  }
  return value;
}

/** A claim as the value of a header: text as it is unless a header cannot hold it, structures as base64 of JSON. */
export function claimText(value: MetadataValue | undefined): string {
  switch (typeof value) {
    case "string":
      return /^[\t\x20-\x7e]*$/.test(value) ? value : "";
    case "number":
      return Number.isInteger(value) && value >= 0 ? BigInt(value).toString() : value.toFixed(6);
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "" : Buffer.from(JSON.stringify(value)).toString("base64");
    default:
      return "";
  }
}

/** The payload with the named claims split at blanks, as scopes are written. */
export function normalizeClaims(payload: JsonObject, names: readonly string[]): JsonObject {
  if (names.length === 0) return payload;
  const normalized: Record<string, MetadataValue> = { ...payload };
  for (const name of names) {
    const value = normalized[name];
    if (typeof value === "string") normalized[name] = value.split(" ").filter((part) => part !== "");
  }
  return normalized;
}
