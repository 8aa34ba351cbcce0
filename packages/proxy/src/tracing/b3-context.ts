import type { HeaderList } from "../layer/header-list.ts";
import type { ParentContext, Propagation, SpanContext } from "./propagation.ts";
import { newSpanId } from "./trace-context.ts";

const traceIds = /^(?!0+$)(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const spanIds = /^(?!0+$)[0-9a-f]{16}$/;
const singleField = /^([0-9a-f]+)-([0-9a-f]+)(?:-([01d]))?(?:-([0-9a-f]+))?$/;
const multiple = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled"] as const;

export interface B3Options {
  /** A server's span is one with its client's. */
  readonly sharesSpans: boolean;
  /** New traces have ids of 128 bits rather than 64. */
  readonly hasLongIds: boolean;
}

/**
 * B3, in one field or several: what came in one is passed on in one. A caller
 * that decided about sampling is obeyed.
 *
 * @see https://github.com/openzipkin/b3-propagation
 */
export function b3Propagation({ sharesSpans, hasLongIds }: B3Options): Propagation {
  return {
    read: (headers) => readSingle(headers) ?? readMultiple(headers),
    span(parent, isServer): SpanContext {
      const known = parent?.traceId ? parent : undefined;
      if (known && isServer && sharesSpans) {
        return { traceId: known.traceId, spanId: known.spanId, parentId: known.parentId, isShared: true };
      }
      const spanId = newSpanId();
      if (known) return { traceId: known.traceId, spanId, parentId: known.spanId, isShared: false };
      const traceId = hasLongIds ? `${newSpanId()}${spanId}` : spanId;
      return { traceId, spanId, parentId: "", isShared: false };
    },
    isSampled: (parent, isChosen) => parent?.isSampled ?? isChosen,
    write(headers, { traceId, spanId, parentId }, isSampled) {
      const flag = isSampled ? "1" : "0";
      if (headers.has("b3")) {
        headers.set("b3", `${traceId}-${spanId}-${flag}${parentId === "" ? "" : `-${parentId}`}`);
        return;
      }
      headers.set("x-b3-traceid", traceId);
      headers.set("x-b3-spanid", spanId);
      if (parentId === "") headers.remove("x-b3-parentspanid");
      else headers.set("x-b3-parentspanid", parentId);
      headers.set("x-b3-sampled", flag);
    },
    removeSampling(headers) {
      const single = headers.get("b3");
      if (single !== undefined) headers.set("b3", single.replace(/^([0-9a-f]+-[0-9a-f]+)-1/, "$1-0"));
      else headers.set("x-b3-sampled", "0");
    },
  };
}

/** Without ids it only says whether to sample. */
function readSingle(headers: HeaderList): ParentContext | undefined {
  const text = headers.get("b3");
  if (text === undefined || headers.getAll("b3") !== text) return undefined;
  if (text === "0" || text === "1" || text === "d") return context("", "", "", text);
  const parts = singleField.exec(text);
  return parts ? context(parts[1]!, parts[2]!, parts[4] ?? "", parts[3]) : undefined;
}

function readMultiple(headers: HeaderList): ParentContext | undefined {
  const [traceId, spanId, parentId = "", sampled] = multiple.map((name) => headers.getAll(name));
  if (traceId === undefined && spanId === undefined) {
    return sampled === undefined ? undefined : context("", "", "", sampled);
  }
  return context(traceId ?? "-", spanId ?? "-", parentId, sampled);
}

function context(
  traceId: string,
  spanId: string,
  parentId: string,
  sampled: string | undefined,
): ParentContext | undefined {
  const hasIds = traceId !== "" || spanId !== "";
  if (hasIds && !(traceIds.test(traceId) && spanIds.test(spanId))) return undefined;
  const isKnown = parentId !== "" && spanIds.test(parentId);
  return { traceId, spanId, parentId: isKnown ? parentId : "", isSampled: flagOf(sampled), traceState: "" };
}

function flagOf(text: string | undefined): boolean | undefined {
  if (text === "1" || text === "d" || text === "true") return true;
  return text === "0" || text === "false" ? false : undefined;
}
