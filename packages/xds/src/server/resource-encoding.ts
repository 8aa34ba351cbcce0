import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { XdsResource } from "../snapshot.ts";

/** Wire forms of resources, made once however many clients get them. */
const asAny = new WeakMap<XdsResource, Uint8Array>();
const asDeltaResource = new WeakMap<XdsResource, Uint8Array>();

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly updated: Iterable<XdsResource>;
  readonly removed: Iterable<string>;
}

/**
 * Encodes an `envoy.service.discovery.v3.DeltaDiscoveryResponse`. Written by
 * hand so that the encoded resources are shared rather than built per client.
 */
export function encodeDeltaResponse(response: DeltaResponse): Uint8Array {
  const { typeUrl, version, nonce, updated, removed } = response;
  const resources = Array.from(updated, (resource) => deltaResourceOf(resource, typeUrl));
  const rest = new BinaryWriter();
  if (version) rest.tag(1, WireType.LengthDelimited).string(version);
  rest.tag(4, WireType.LengthDelimited).string(typeUrl);
  rest.tag(5, WireType.LengthDelimited).string(nonce);
  for (const name of removed) rest.tag(6, WireType.LengthDelimited).string(name);
  return withResources(rest.finish(), resources);
}

export interface SotwResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: Iterable<XdsResource>;
}

/** Encodes an `envoy.service.discovery.v3.DiscoveryResponse`. */
export function encodeSotwResponse(response: SotwResponse): Uint8Array {
  const { typeUrl, version, nonce } = response;
  const resources = Array.from(response.resources, (resource) => anyOf(resource, typeUrl));
  const rest = new BinaryWriter();
  rest.tag(1, WireType.LengthDelimited).string(version);
  rest.tag(4, WireType.LengthDelimited).string(typeUrl);
  rest.tag(5, WireType.LengthDelimited).string(nonce);
  return withResources(rest.finish(), resources);
}

/** `repeated … resources = 2` of both responses, after the other fields, in one buffer of just that size. */
function withResources(rest: Uint8Array, resources: readonly Uint8Array[]): Uint8Array {
  let size = rest.length;
  for (const { length } of resources) size += 1 + varintSize(length) + length;
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(rest, 0);
  let at = rest.length;
  for (const resource of resources) {
    bytes[at++] = (2 << 3) | WireType.LengthDelimited;
    let length = resource.length;
    for (; length > 0x7f; length >>>= 7) bytes[at++] = (length & 0x7f) | 0x80;
    bytes[at++] = length;
    bytes.set(resource, at);
    at += resource.length;
  }
  return bytes;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}

/** `google.protobuf.Any` */
function anyOf(resource: XdsResource, typeUrl: string): Uint8Array {
  let bytes = asAny.get(resource);
  if (!bytes) {
    bytes = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .string(typeUrl)
      .tag(2, WireType.LengthDelimited)
      .bytes(resource.body)
      .finish();
    asAny.set(resource, bytes);
  }
  return bytes;
}

/** `envoy.service.discovery.v3.Resource` */
function deltaResourceOf(resource: XdsResource, typeUrl: string): Uint8Array {
  let bytes = asDeltaResource.get(resource);
  if (!bytes) {
    bytes = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .string(resource.version)
      .tag(2, WireType.LengthDelimited)
      .bytes(anyOf(resource, typeUrl))
      .tag(3, WireType.LengthDelimited)
      .string(resource.name)
      .finish();
    asDeltaResource.set(resource, bytes);
    // A client speaks one of the two protocols: most resources are never needed as a bare Any again.
    asAny.delete(resource);
  }
  return bytes;
}
