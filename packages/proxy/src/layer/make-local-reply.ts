import { applyHeaderEdits } from "../route/header-edits.ts";
import type { Exchange } from "./exchange.ts";
import type { ExchangeRecord } from "./exchange-record.ts";
import { HeaderList } from "./header-list.ts";
import { buildLocalReply, type LocalReply } from "./local-reply.ts";
import { mapLocalReply } from "./map-local-reply.ts";

/**
 * An answer made here, on its whole way: edited by the route, mapped by the
 * connection manager, in the form the client's protocol expects.
 */
export function makeLocalReply(
  exchange: Exchange & ExchangeRecord,
  status: number,
  body: Buffer,
  fields: readonly string[] | undefined,
  grpcStatus: number | undefined,
): LocalReply {
  const edited = editedFields(exchange, fields);
  const { localReplies } = exchange.plan;
  if (!localReplies) return buildLocalReply(exchange.request, status, body, edited, grpcStatus);
  const made = mapLocalReply(localReplies, exchange, status, body, edited);
  return buildLocalReply(exchange.request, made.status, made.body, made.fields, grpcStatus);
}

/** Fields of an answer from here, with what the route does to every answer. */
function editedFields(
  exchange: Exchange & ExchangeRecord,
  fields: readonly string[] | undefined,
): readonly string[] | undefined {
  const chosen = exchange.clusterChoice?.responseEdits;
  const edits = exchange.match?.route.responseEdits;
  if (!chosen && !edits) return fields;
  const headers = new HeaderList(fields ? [...fields] : []);
  if (chosen) applyHeaderEdits(chosen, headers, exchange);
  if (edits) applyHeaderEdits(edits, headers, exchange);
  return headers.flat;
}
