import type { XdsResource } from "../snapshot.ts";
import { SharedPieces } from "./shared-pieces.ts";

/** Wire forms of resources, each as a field of its response, made once however many clients get them. */
const asAny = new WeakMap<XdsResource, Uint8Array>();
const asDeltaResource = new WeakMap<XdsResource, Uint8Array>();

const maxSharedBytes = 64 << 20;
const sotwPieces = new SharedPieces(maxSharedBytes);
const deltaPieces = new SharedPieces(maxSharedBytes);

/** A message in parts, to be written one after the other and never to: they are shared between clients. */
export type EncodedParts = readonly Uint8Array[];

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
export function encodeDeltaResponse(response: DeltaResponse): EncodedParts {
  const { typeUrl, version, nonce, updated, removed } = response;
  const head = [stringField(4, typeUrl), stringField(5, nonce)];
  if (version) head.push(stringField(1, version));
  for (const name of removed) head.push(stringField(6, name));
  const resources = deltaPieces.of([...updated], (resource) => deltaResourceOf(resource, typeUrl));
  return [Buffer.concat(head), ...resources];
}

export interface SotwResponse {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: Iterable<XdsResource>;
}

/** Encodes an `envoy.service.discovery.v3.DiscoveryResponse`. */
export function encodeSotwResponse(response: SotwResponse): EncodedParts {
  const { typeUrl, version, nonce } = response;
  const head = [stringField(1, version), stringField(4, typeUrl), stringField(5, nonce)];
  const resources = sotwPieces.of([...response.resources], (resource) => sotwResourceOf(resource, typeUrl));
  return [Buffer.concat(head), ...resources];
}

/** `DiscoveryResponse.resources`, a `google.protobuf.Any` */
function sotwResourceOf(resource: XdsResource, typeUrl: string): Uint8Array {
  let bytes = asAny.get(resource);
  if (!bytes) {
    bytes = field(2, ...anyOf(resource, typeUrl));
    asAny.set(resource, bytes);
  }
  return bytes;
}

/** `DeltaDiscoveryResponse.resources`, an `envoy.service.discovery.v3.Resource` */
function deltaResourceOf(resource: XdsResource, typeUrl: string): Uint8Array {
  let bytes = asDeltaResource.get(resource);
  if (!bytes) {
    const { version, name } = resource;
    const any = field(2, ...anyOf(resource, typeUrl));
    bytes = field(2, stringField(1, version), any, stringField(3, name));
    asDeltaResource.set(resource, bytes);
  }
  return bytes;
}

function anyOf(resource: XdsResource, typeUrl: string): readonly Uint8Array[] {
  return [stringField(1, typeUrl), field(2, resource.body)];
}

function stringField(number: number, text: string): Uint8Array {
  return field(number, Buffer.from(text));
}

/** A length-delimited field with a number below 16, of these contents one after the other. */
function field(number: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const content of contents) length += content.length;
  const bytes = Buffer.allocUnsafe(1 + varintSize(length) + length);
  let at = 0;
  bytes[at++] = (number << 3) | 2;
  for (let rest = length; ; rest >>>= 7) {
    if (rest <= 0x7f) {
      bytes[at++] = rest;
      break;
    }
    bytes[at++] = (rest & 0x7f) | 0x80;
  }
  for (const content of contents) {
    bytes.set(content, at);
    at += content.length;
  }
  return bytes;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size += 1;
  return size;
}
