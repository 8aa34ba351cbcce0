import { randomFillSync } from "node:crypto";
import type { HeaderList } from "../layer/header-list.ts";
import type { ParentContext, Propagation } from "./propagation.ts";

const versionedParent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=$|-)/;
const traceStateMember =
  /^[a-z0-9][a-z0-9_\-*/]{0,240}(@[a-z][a-z0-9_\-*/]{0,13})?=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const maxTraceStateMembers = 32;
const parentLength = 55;

/**
 * The context in `traceparent` and `tracestate`. Undefined where there is none
 * or it is malformed, and where it is there twice: a new trace begins.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
export function readParent(headers: HeaderList): ParentContext | undefined {
  const parent = headers.get("traceparent");
  if (parent === undefined || !versionedParent.test(parent)) return undefined;
  // Later versions may say more; this one may not.
  if (parent.length !== parentLength && parent.startsWith("00")) return undefined;
  if (headers.getAll("traceparent")!.length !== parent.length) return undefined;
  return {
    traceId: parent.slice(3, 35),
    spanId: parent.slice(36, 52),
    parentId: "",
    isSampled: (Number.parseInt(parent.slice(53, 55), 16) & 1) === 1,
    traceState: readTraceState(headers.getAll("tracestate")),
  };
}

/** Members are passed on unread, but only all of them, and only where they are well-formed. */
function readTraceState(text: string | undefined): string {
  if (!text) return "";
  const members = text.split(",", maxTraceStateMembers + 1);
  if (members.length > maxTraceStateMembers) return "";
  return members.every((member) => member.trim() === "" || traceStateMember.test(member.trim())) ? text : "";
}

/** The field that makes the receiver's span a child of this one. */
export function formatParent(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** Makes what is sent part of its trace, but not of what is recorded of it. */
export function removeSampling(headers: HeaderList): void {
  const parent = headers.get("traceparent");
  if (parent?.length === parentLength) headers.set("traceparent", `${parent.slice(0, -2)}00`);
}

/**
 * W3C Trace Context. A caller that does not sample is obeyed; one that does is
 * where this hop has chosen the request as well.
 */
export const w3cPropagation: Propagation = {
  read: readParent,
  span: (parent) => ({
    traceId: parent?.traceId ?? newTraceId(),
    spanId: newSpanId(),
    parentId: parent?.spanId ?? "",
    isShared: false,
  }),
  isSampled: (parent, isChosen) => isChosen && parent?.isSampled !== false,
  write(headers, { traceId, spanId }, isSampled, parent) {
    headers.set("traceparent", formatParent(traceId, spanId, isSampled));
    if (!parent?.traceState) headers.remove("tracestate");
  },
  removeSampling,
};

export function newTraceId(): string {
  return randomHex(16);
}

export function newSpanId(): string {
  return randomHex(8);
}

/** Of so many bytes each begins with one that is not zero. */
const unitBytes = 8;
const pool = Buffer.alloc(512 * unitBytes);
let digits = "";
let used = 0;

/**
 * Cut from digits that were made for many, because asking for a few random bytes costs
 * as much as asking for many; never all zeros. Who keeps it makes a copy.
 */
function randomHex(bytes: number): string {
  const end = used + 2 * bytes;
  if (end > digits.length) {
    randomFillSync(pool);
    for (let at = 0; at < pool.length; at += unitBytes) pool[at] ||= 1;
    digits = pool.toString("hex");
    used = 0;
    return randomHex(bytes);
  }
  const text = digits.slice(used, end);
  used = end;
  return text;
}
