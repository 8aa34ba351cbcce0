import type { Transform } from "node:stream";
import type { Counter } from "@weft/base/metric-registry";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import { ZlibStage } from "./zlib-stage.ts";

/** @see Decompressor.CommonDirectionConfig */
export interface DecompressedDirection {
  readonly isEnabled: boolean;
  /** Decompresses what says `no-transform` too. */
  readonly ignoresNoTransform: boolean;
}

/** @see envoy.extensions.filters.http.decompressor.v3.Decompressor */
export interface DecompressorPlan {
  readonly encoding: string;
  readonly create: () => Transform;
  /** Bytes out for a byte in, above which a body is taken for an attack. */
  readonly maxRatio: number;
  readonly request: DecompressedDirection;
  readonly response: DecompressedDirection;
  /** Tells the upstream that responses may be compressed. */
  readonly advertises: boolean;
}

/** Envoy's `…decompressor.<library>.<encoding>.request.` and `.response.` counters. */
export interface DecompressorStats {
  readonly decompressed: Counter;
  readonly notDecompressed: Counter;
  readonly compressedBytes: Counter;
  readonly uncompressedBytes: Counter;
}

/**
 * Decompresses bodies for applications and filters that read them. A body that
 * is not what it says, or grows out of proportion, ends the exchange: 400 for a
 * request, and a broken-off response.
 */
export function createDecompressorFilter(
  plan: DecompressorPlan,
  stats: { readonly request: DecompressorStats; readonly response: DecompressorStats },
  name: string,
): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { headers, upgrade } = exchange.request!;
      if (plan.response.isEnabled && plan.advertises) advertise(headers, plan.encoding);
      if (!exchange.hasRequestBody || upgrade !== "") return "continue";
      if (!mayDecompress(headers, plan.request)) {
        stats.request.notDecompressed.add();
        return "continue";
      }
      unwrap(headers);
      stats.request.decompressed.add();
      const events = {
        onBytes: counting(stats.request),
        onFailure: () => exchange.reply(400, "Bad Request", "request_decompression_failed"),
      };
      exchange.addRequestStage(new ZlibStage(plan.create(), exchange, "request", events, plan.maxRatio));
      return "continue";
    },
    onResponse(exchange, end) {
      if (end || exchange.response!.status === 101) return "continue";
      const { headers } = exchange.response!;
      if (!mayDecompress(headers, plan.response)) {
        stats.response.notDecompressed.add();
        return "continue";
      }
      unwrap(headers);
      stats.response.decompressed.add();
      const events = {
        onBytes: counting(stats.response),
        onFailure: () => exchange.reply(502, "", "response_decompression_failed"),
      };
      exchange.addResponseStage(new ZlibStage(plan.create(), exchange, "response", events, plan.maxRatio));
      return "continue";
    },
  };

  /** Encodings are undone from the last applied; only one that comes first in the field may be ours. */
  function mayDecompress(headers: HeaderList, direction: DecompressedDirection): boolean {
    if (!direction.isEnabled) return false;
    if (!direction.ignoresNoTransform && hasNoTransform(headers)) return false;
    const encodings = headers.getAll("content-encoding");
    if (encodings === undefined) return false;
    const first = encodings.split(",", 1)[0]!.trim().toLowerCase();
    return first === plan.encoding && !encodings.includes(",");
  }

  function unwrap(headers: HeaderList): void {
    headers.remove("content-encoding");
    headers.remove("content-length");
  }
}

function counting(stats: DecompressorStats): (read: number, written: number) => void {
  return (read, written) => {
    stats.compressedBytes.value += read;
    stats.uncompressedBytes.value += written;
  };
}

function hasNoTransform(headers: HeaderList): boolean {
  const control = headers.getAll("cache-control");
  return control?.split(",").some((token) => token.trim().toLowerCase() === "no-transform") === true;
}

function advertise(headers: HeaderList, encoding: string): void {
  const before = headers.getAll("accept-encoding");
  if (before === undefined) {
    headers.append("accept-encoding", encoding);
    return;
  }
  // An encoding the client weighted, refused or not, is replaced by ours: it is we who read the answer.
  const others = before.split(",").filter((part) => part.split(";", 1)[0]!.trim().toLowerCase() !== encoding);
  headers.set("accept-encoding", [...others, encoding].join(","));
}
