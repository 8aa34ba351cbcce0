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
  const writer = new BinaryWriter();
  if (response.version) writer.tag(1, WireType.LengthDelimited).string(response.version);
  for (const resource of response.updated) {
    writer.tag(2, WireType.LengthDelimited).bytes(deltaResourceOf(resource, response.typeUrl));
  }
  writer.tag(4, WireType.LengthDelimited).string(response.typeUrl);
  writer.tag(5, WireType.LengthDelimited).string(response.nonce);
  for (const name of response.removed) writer.tag(6, WireType.LengthDelimited).string(name);
  return writer.finish();
}

export interface SotwResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: Iterable<XdsResource>;
}

/** Encodes an `envoy.service.discovery.v3.DiscoveryResponse`. */
export function encodeSotwResponse(response: SotwResponse): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(response.version);
  for (const resource of response.resources) {
    writer.tag(2, WireType.LengthDelimited).bytes(anyOf(resource, response.typeUrl));
  }
  writer.tag(4, WireType.LengthDelimited).string(response.typeUrl);
  writer.tag(5, WireType.LengthDelimited).string(response.nonce);
  return writer.finish();
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
