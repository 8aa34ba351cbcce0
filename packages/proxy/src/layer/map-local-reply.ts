import { applyHeaderEdits } from "../route/header-edits.ts";
import { isGrpc } from "../route/request-matcher.ts";
import type { Exchange } from "./exchange.ts";
import { HeaderList } from "./header-list.ts";
import type { BodyFormat, LocalReplyPlan } from "./local-reply-plan.ts";

/** An answer made here, before it takes the form the client's protocol expects. */
export interface MappedReply {
  readonly status: number;
  readonly body: Buffer;
  /** Flat: name, value, … */
  readonly fields: readonly string[];
}

/** Makes an answer what the configuration wants it to be. */
export function mapLocalReply(
  plan: LocalReplyPlan,
  exchange: Exchange,
  status: number,
  body: Buffer,
  fields: readonly string[] | undefined,
): MappedReply {
  const before = exchange.response;
  const headers = new HeaderList(fields ? [...fields] : []);
  const head = { status, headers };
  // Filters and command operators look at the answer as it would be.
  exchange.response = head;
  let { format } = plan;
  let mapped = body;
  const mapper = plan.mappers.find((one) => one.matches(exchange));
  if (mapper) {
    mapped = mapper.body ?? mapped;
    format = mapper.format ?? format;
    if (mapper.edits) applyHeaderEdits(mapper.edits, headers, exchange);
    head.status = mapper.status ?? status;
  }
  if (format) mapped = renderBody(format, exchange, headers, mapped);
  exchange.response = before;
  return { status: head.status, body: mapped, fields: headers.flat };
}

/** Renders a body, which command operators see as it was, and names its type. */
export function renderBody(
  format: BodyFormat,
  exchange: Exchange,
  headers: HeaderList,
  body: Buffer,
): Buffer {
  exchange.localReplyBody = body.toString("utf8");
  const text = format.render(exchange);
  // A gRPC message is no line.
  const isMessage = format.endsLine && exchange.request !== undefined && isGrpc(exchange.request);
  const rendered = Buffer.from(isMessage ? text.trimEnd() : text);
  if (rendered.length > 0) headers.set("content-type", format.contentType);
  return rendered;
}
