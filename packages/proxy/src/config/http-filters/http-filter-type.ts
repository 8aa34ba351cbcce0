import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { HttpFilter } from "../../layer/http-filter.ts";
import type { DecodeContext, Direction } from "../decode-context.ts";

/** Where a filter stands: what it is called, what its statistics begin with, where mistakes are reported. */
export interface HttpFilterPlace {
  /** Its name in the chain, under which routes configure it. */
  readonly name: string;
  /** The connection manager's `stat_prefix`. */
  readonly statPrefix: string;
  readonly direction: Direction;
  readonly path: string;
}

/** What the configuration of a filter on routes, virtual hosts and tables is. */
export interface RouteConfigType {
  readonly typeName: string;
  /** Whether the filter heeds every level that says something, not just the most specific. */
  readonly isLayered: boolean;
  /** What the filter reads at run time; undefined only where an issue was reported. */
  decode(message: Message, path: string, context: DecodeContext): unknown;
}

/** One kind of HTTP filter, by the message that configures it. */
export interface HttpFilterType {
  readonly typeName: string;
  /** The filter, ready to run; undefined only where an issue was reported. */
  decode(message: Message, place: HttpFilterPlace, context: DecodeContext): HttpFilter | undefined;
  /** Undefined where routes can only switch the filter on or off. */
  readonly route: RouteConfigType | undefined;
}

/** Ties a filter's decoder to the type of its message. */
export function httpFilterType<Schema extends DescMessage>(
  schema: Schema,
  decode: (
    message: MessageShape<Schema>,
    place: HttpFilterPlace,
    context: DecodeContext,
  ) => HttpFilter | undefined,
  route?: RouteConfigType,
): HttpFilterType {
  return { typeName: schema.typeName, decode: decode as HttpFilterType["decode"], route };
}

/** Ties the decoder of a filter's route configuration to the type of its message. */
export function routeConfigType<Schema extends DescMessage>(
  schema: Schema,
  decode: (message: MessageShape<Schema>, path: string, context: DecodeContext) => unknown,
  isLayered = false,
): RouteConfigType {
  return { typeName: schema.typeName, isLayered, decode: decode as RouteConfigType["decode"] };
}
