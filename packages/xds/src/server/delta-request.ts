import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Node, NodeSchema } from "../gen/envoy/config/core/v3/base_pb.js";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";
import { GrpcError, grpcCode } from "../grpc/grpc-status.ts";
import { StringCache } from "./string-cache.ts";

/** What the server reads of an `envoy.service.discovery.v3.DeltaDiscoveryRequest`. */
export interface DeltaRequest {
  readonly node: Node | undefined;
  readonly typeUrl: string;
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  /** Versions by name; a map of this request alone, unless it is empty. */
  readonly initialResourceVersions: Map<string, string>;
  readonly responseNonce: string;
  readonly errorDetail: Status | undefined;
}

const noVersions = new Map<string, string>();

/** Names, versions and types, which clients have in common. */
const strings = new StringCache(1 << 17);

/**
 * Decodes a request. Written by hand because most are acknowledgements of two
 * fields, which come by the thousand, and the first ones of clients that come
 * back hold thousands of versions, which are wanted as a map of shared strings.
 *
 * @throws GrpcError INVALID_ARGUMENT when the bytes are not such a message
 */
export function decodeDeltaRequest(bytes: Uint8Array): DeltaRequest {
  try {
    return decode(bytes);
  } catch (error) {
    const message = "not an envoy.service.discovery.v3.DeltaDiscoveryRequest";
    throw new GrpcError(grpcCode.invalidArgument, message, { cause: error });
  }
}

function decode(bytes: Uint8Array): DeltaRequest {
  const reader = new BinaryReader(bytes);
  const subscribe: string[] = [];
  const unsubscribe: string[] = [];
  let versions: Map<string, string> | undefined;
  let node: Node | undefined;
  let typeUrl = "";
  let responseNonce = "";
  let errorDetail: Status | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) reader.skip(wireType, field);
    else if (field === 1) node = fromBinary(NodeSchema, reader.bytes());
    else if (field === 2) typeUrl = readString(reader, bytes);
    else if (field === 3) subscribe.push(readString(reader, bytes));
    else if (field === 4) unsubscribe.push(readString(reader, bytes));
    else if (field === 5) {
      versions ??= new Map();
      decodeVersion(reader, bytes, versions);
    } else if (field === 6) responseNonce = reader.string(true);
    else if (field === 7) errorDetail = fromBinary(StatusSchema, reader.bytes());
    else reader.skip(wireType, field);
  }
  return {
    node,
    typeUrl,
    resourceNamesSubscribe: subscribe,
    resourceNamesUnsubscribe: unsubscribe,
    initialResourceVersions: versions ?? noVersions,
    responseNonce,
    errorDetail,
  };
}

/** Where a length-delimited field ends that begins here. @throws RangeError when it is longer than what holds it */
function endOfField(reader: BinaryReader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("premature EOF");
  return end;
}

function readString(reader: BinaryReader, bytes: Uint8Array): string {
  const end = endOfField(reader);
  const text = strings.read(bytes, reader.pos, end);
  reader.pos = end;
  return text;
}

/** One entry of `map<string, string>`. @throws RangeError when it is longer than what holds it */
function decodeVersion(reader: BinaryReader, bytes: Uint8Array, versions: Map<string, string>): void {
  const end = endOfField(reader);
  let name = "";
  let version = "";
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) name = readString(reader, bytes);
    else if (field === 2 && wireType === WireType.LengthDelimited) version = readString(reader, bytes);
    else reader.skip(wireType, field);
  }
  if (reader.pos !== end) throw new RangeError("a map entry is longer than it says");
  versions.set(name, version);
}
