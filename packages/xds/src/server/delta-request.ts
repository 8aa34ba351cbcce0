import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Node, NodeSchema } from "../gen/envoy/config/core/v3/base_pb.js";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";
import { GrpcError, grpcCode } from "../grpc/grpc-status.ts";

/** What the server reads of an `envoy.service.discovery.v3.DeltaDiscoveryRequest`. */
export interface DeltaRequest {
  readonly node: Node | undefined;
  readonly typeUrl: string;
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  /** Versions by name. */
  readonly initialResourceVersions: ReadonlyMap<string, string>;
  readonly responseNonce: string;
  readonly errorDetail: Status | undefined;
}

const noVersions: ReadonlyMap<string, string> = new Map();

/**
 * Decodes a request. Written by hand because most are acknowledgements of two
 * fields, which come by the thousand, and the first ones of clients that come
 * back hold thousands of versions, which are wanted as a map.
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
    else if (field === 2) typeUrl = reader.string(true);
    else if (field === 3) subscribe.push(reader.string(true));
    else if (field === 4) unsubscribe.push(reader.string(true));
    else if (field === 5) {
      versions ??= new Map();
      decodeVersion(reader, versions);
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

/** One entry of `map<string, string>`. @throws RangeError when it is longer than what holds it */
function decodeVersion(reader: BinaryReader, versions: Map<string, string>): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError("premature EOF");
  let name = "";
  let version = "";
  while (reader.pos < end) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) name = reader.string(true);
    else if (field === 2 && wireType === WireType.LengthDelimited) version = reader.string(true);
    else reader.skip(wireType, field);
  }
  if (reader.pos !== end) throw new RangeError("a map entry is longer than it says");
  versions.set(name, version);
}
