import { isIPv6 } from "node:net";
import {
  create,
  type DescMessage,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Any, anyPack, type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type Address,
  AddressSchema,
  type CidrRange,
  CidrRangeSchema,
} from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import { type Metadata, MetadataSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
  FractionalPercentSchema,
} from "@weft/xds/gen/envoy/type/v3/percent_pb";
import type { Provenance } from "../model/provenance.ts";

/** A message, packed. The schema must be named by the caller: an extension is known by its type alone. */
export function pack<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any {
  return anyPack(schema, create(schema, init) as MessageShape<D>);
}

export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}

export function socketAddress(address: string, port: number): Address {
  const value = { address, portSpecifier: { case: "portValue" as const, value: port } };
  return create(AddressSchema, { address: { case: "socketAddress", value } });
}

/** Fields of a listener or an endpoint that is at all of these addresses. @param addresses at least one */
export function placesOf([first, ...others]: readonly string[], port: number) {
  return {
    address: socketAddress(first!, port),
    additionalAddresses: others.map((address) => ({ address: socketAddress(address, port) })),
  };
}

export function pipeAddress(path: string): Address {
  return create(AddressSchema, { address: { case: "pipe", value: { path } } });
}

export function cidr(addressPrefix: string, prefixLength: number): CidrRange {
  return create(CidrRangeSchema, { addressPrefix, prefixLen: prefixLength });
}

/** An address as it stands in a URL. */
export function hostLiteral(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/** Over the aggregated stream, and waited for without limit: a proxy never runs on half a configuration. */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: { case: "ads", value: {} },
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: duration(0),
  });
}

/** `filter_metadata["istio"]`: where a resource came from, and whatever else Istio's readers look for there. */
export function istioMetadata(source: Provenance | undefined, more: JsonObject = {}): Metadata | undefined {
  const fields: JsonObject = { ...more };
  if (source) {
    fields.config = source.config;
    fields.origin = source.origin;
  }
  if (Object.keys(fields).length === 0) return undefined;
  return create(MetadataSchema, { filterMetadata: { istio: fields } });
}

/** Percent with four decimals. */
export function fraction(percent: number): FractionalPercent {
  return create(FractionalPercentSchema, {
    numerator: Math.round(percent * 10_000),
    denominator: Denominator.MILLION,
  });
}
