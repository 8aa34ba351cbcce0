import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import { noteMetadata } from "../layer/dynamic-metadata.ts";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { HttpFilter } from "../layer/http-filter.ts";

/** Where a value goes, and as what. @see Config.KeyValuePair */
export interface MetadataTarget {
  readonly namespace: string;
  readonly key: string;
  /** Undefined where what was found cannot be such a value. */
  convert(text: string): MetadataValue | undefined;
}

/** @see envoy.extensions.filters.http.header_to_metadata.v3.Config.Rule */
export interface MetadataRule {
  /** The value found; takes it out of the fields where so configured. */
  find(headers: HeaderList): string | undefined;
  readonly onPresent: MetadataTarget | undefined;
  readonly onMissing: MetadataTarget | undefined;
}

export interface HeaderToMetadataPlan {
  readonly request: readonly MetadataRule[];
  readonly response: readonly MetadataRule[];
}

/** Longer values are left out. */
const maxValueLength = 8 * 1024;

/**
 * Makes dynamic metadata of header fields and cookies, for filters, routes and
 * access logs that read metadata. Of a route, the plan under the filter's name
 * replaces the filter's own.
 */
export function createHeaderToMetadataFilter(own: HeaderToMetadataPlan, name: string): HttpFilter {
  const planOf = (exchange: FilterExchange) => routeConfigOf<HeaderToMetadataPlan>(exchange, name) ?? own;
  return {
    name,
    onRequest(exchange) {
      apply(planOf(exchange).request, exchange.request!.headers, exchange);
      return "continue";
    },
    onResponse(exchange) {
      apply(planOf(exchange).response, exchange.response!.headers, exchange);
      return "continue";
    },
  };
}

function apply(rules: readonly MetadataRule[], headers: HeaderList, exchange: FilterExchange): void {
  for (const rule of rules) {
    const found = rule.find(headers);
    const target = found === undefined ? rule.onMissing : rule.onPresent;
    if (!target) continue;
    const value = target.convert(found ?? "");
    if (value !== undefined) noteMetadata(exchange, target.namespace, new Map([[target.key, value]]));
  }
}

/** Whether text may be a value at all. */
export function isUsable(text: string): boolean {
  return text !== "" && text.length < maxValueLength;
}
