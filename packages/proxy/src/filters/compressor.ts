import type { Transform } from "node:stream";
import type { Counter } from "@weft/base/metric-registry";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import { type EncodingChoice, encodingsOf } from "./accept-encoding.ts";
import { ZlibStage } from "./zlib-stage.ts";

/** A way to compress: the name it has in `content-encoding`, and what makes one stream of it. */
export interface CompressorLibrary {
  readonly encoding: string;
  create(): Transform;
}

/** What bodies of one direction are compressed. @see Compressor.CommonDirectionConfig */
export interface CompressedDirection {
  readonly isEnabled: boolean;
  readonly minBytes: number;
  /** Lower case, without parameters. */
  readonly contentTypes: ReadonlySet<string>;
}

/** @see envoy.extensions.filters.http.compressor.v3.Compressor */
export interface CompressorPlan {
  readonly library: CompressorLibrary;
  /** Undefined never compresses requests. */
  readonly request: CompressedDirection | undefined;
  readonly response: CompressedDirection;
  readonly disablesOnEtag: boolean;
  readonly removesAcceptEncoding: boolean;
  readonly uncompressibleStatuses: ReadonlySet<number>;
  /** On a tie between compressors of one chain, the first in the chain wins instead of the first the client names. */
  readonly choosesFirst: boolean;
}

/** What a route says about compressing its responses. @see CompressorPerRoute */
export type CompressorRouteConfig =
  | "disabled"
  | { readonly removesAcceptEncoding: boolean | undefined; readonly library: CompressorLibrary | undefined };

/** Envoy's `…compressor.<library>.<encoding>.[request.|response.]*` counters of one direction. */
export interface CompressorStats {
  readonly compressed: Counter;
  readonly notCompressed: Counter;
  readonly uncompressedBytes: Counter;
  readonly compressedBytes: Counter;
  readonly tooSmall: Counter;
}

export interface ResponseCompressorStats extends CompressorStats {
  readonly noAcceptHeader: Counter;
  readonly headerIdentity: Counter;
  readonly headerCompressorUsed: Counter;
  readonly headerCompressorOvershadowed: Counter;
  readonly headerWildcard: Counter;
  readonly headerNotValid: Counter;
  readonly notCompressedEtag: Counter;
}

export interface CompressorDependencies {
  readonly requestStats: CompressorStats | undefined;
  readonly responseStats: ResponseCompressorStats;
}

/** Where every compressor of a chain says what it could do, so that they choose among them. */
const offersKey = "envoy.filters.http.compressor offers";

interface Offer {
  readonly encoding: string;
  readonly contentTypes: ReadonlySet<string>;
}

interface Offers {
  readonly accepted: string | undefined;
  readonly list: Offer[];
  choice: EncodingChoice | undefined;
}

/** Compresses responses the client accepts compressed, and requests where configured. */
export function createCompressorFilter(
  plan: CompressorPlan,
  { requestStats, responseStats }: CompressorDependencies,
  name: string,
): HttpFilter {
  const { encoding } = plan.library;

  function compressRequest(exchange: FilterExchange, direction: CompressedDirection): void {
    const stats = requestStats!;
    const { headers, upgrade } = exchange.request!;
    if (
      !exchange.hasRequestBody ||
      upgrade !== "" ||
      !direction.isEnabled ||
      !isLongEnough(headers, direction, stats) ||
      !isTypeAllowed(headers, direction.contentTypes) ||
      headers.has("content-encoding")
    ) {
      stats.notCompressed.add();
      return;
    }
    headers.remove("content-length");
    headers.set("content-encoding", encoding);
    stats.compressed.add();
    exchange.addRequestStage(stageOf(plan.library.create(), exchange, "request", stats));
  }

  return {
    name,
    onRequest(exchange) {
      const config = routeConfigOf<CompressorRouteConfig>(exchange, name);
      const { headers } = exchange.request!;
      if (config !== "disabled" && plan.response.isEnabled) {
        const offers = offersOf(exchange, headers);
        const offered = config?.library?.encoding ?? encoding;
        offers.list.push({ encoding: offered, contentTypes: plan.response.contentTypes });
        if (config?.removesAcceptEncoding ?? plan.removesAcceptEncoding) headers.remove("accept-encoding");
      }
      if (plan.request) compressRequest(exchange, plan.request);
      return "continue";
    },
    onResponse(exchange, end) {
      const offers = exchange.filterState?.get(offersKey) as Offers | undefined;
      const config = routeConfigOf<CompressorRouteConfig>(exchange, name);
      if (!offers || config === "disabled" || !plan.response.isEnabled) {
        responseStats.notCompressed.add();
        return "continue";
      }
      const { status, headers } = exchange.response!;
      const isLong = isLongEnough(headers, plan.response, responseStats);
      const isCompressible =
        isLong &&
        status !== 101 &&
        !exchange.request!.upgrade &&
        !plan.uncompressibleStatuses.has(status) &&
        isTypeAllowed(headers, plan.response.contentTypes) &&
        !hasNoTransform(headers) &&
        isEtagAllowed(headers) &&
        !headers.has("content-encoding");
      const library = config?.library ?? plan.library;
      if (!end && isLong && isChosen(offers, library.encoding, headers) && isCompressible) {
        weakenEtag(headers);
        headers.remove("content-length");
        headers.set("content-encoding", library.encoding);
        responseStats.compressed.add();
        exchange.addResponseStage(stageOf(library.create(), exchange, "response", responseStats));
      } else responseStats.notCompressed.add();
      if (isCompressible) addVary(headers);
      return "continue";
    },
  };

  function isEtagAllowed(headers: HeaderList): boolean {
    if (!plan.disablesOnEtag || !headers.has("etag")) return true;
    responseStats.notCompressedEtag.add();
    return false;
  }

  /** Whether the client's choice among all compressors of the chain is this one. */
  function isChosen(offers: Offers, own: string, headers: HeaderList): boolean {
    if (offers.accepted === undefined) {
      responseStats.noAcceptHeader.add();
      return false;
    }
    if (!offers.choice) {
      const usable = offers.list.filter((offer) => isTypeAllowed(headers, offer.contentTypes));
      const names = usable.map((offer) => offer.encoding);
      offers.choice = encodingsOf(offers.accepted, names, plan.choosesFirst);
    }
    const { kind, encoding: chosen } = offers.choice;
    if (kind === "identity") responseStats.headerIdentity.add();
    else if (kind === "none") responseStats.headerNotValid.add();
    else if (chosen !== own) responseStats.headerCompressorOvershadowed.add();
    else if (kind === "wildcard") responseStats.headerWildcard.add();
    else responseStats.headerCompressorUsed.add();
    return chosen === own;
  }
}

function offersOf(exchange: FilterExchange, headers: HeaderList): Offers {
  exchange.filterState ??= new Map();
  let offers = exchange.filterState.get(offersKey) as Offers | undefined;
  if (!offers) {
    offers = { accepted: headers.getAll("accept-encoding"), list: [], choice: undefined };
    exchange.filterState.set(offersKey, offers);
  }
  return offers;
}

function stageOf(
  stream: Transform,
  exchange: FilterExchange,
  direction: "request" | "response",
  stats: CompressorStats,
): ZlibStage {
  return new ZlibStage(stream, exchange, direction, {
    onBytes(read, written) {
      stats.uncompressedBytes.value += read;
      stats.compressedBytes.value += written;
    },
    onFailure: () => exchange.reply(500, "compression failed", "compression_failed"),
  });
}

function isLongEnough(
  headers: HeaderList,
  { minBytes }: CompressedDirection,
  stats: CompressorStats,
): boolean {
  const length = headers.get("content-length");
  if (length === undefined || Number(length) >= minBytes) return true;
  stats.tooSmall.add();
  return false;
}

function isTypeAllowed(headers: HeaderList, contentTypes: ReadonlySet<string>): boolean {
  const type = headers.get("content-type");
  if (type === undefined) return true;
  const end = type.indexOf(";");
  return contentTypes.has((end < 0 ? type : type.slice(0, end)).trim().toLowerCase());
}

function hasNoTransform(headers: HeaderList): boolean {
  const control = headers.getAll("cache-control");
  return control?.split(",").some((token) => token.trim().toLowerCase() === "no-transform") === true;
}

/** A strong validator names the uncompressed bytes: it does not hold for what is sent. */
function weakenEtag(headers: HeaderList): void {
  const etag = headers.get("etag");
  if (etag !== undefined && !/^[wW]\//.test(etag)) headers.remove("etag");
}

function addVary(headers: HeaderList): void {
  const vary = headers.get("vary");
  if (vary === undefined) headers.append("vary", "Accept-Encoding");
  else if (!/(^|,)\s*(accept-encoding|\*)\s*(,|$)/i.test(vary))
    headers.set("vary", `${vary}, Accept-Encoding`);
}
