import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import type { SocketAddress } from "../net/socket-address.ts";

/** @see envoy.config.core.v3.Address */
export function addressMessage(address: SocketAddress): MessageInitShape<typeof AddressSchema> {
  if (address.kind === "pipe") return { address: { case: "pipe", value: { path: address.path } } };
  const { host, port } = address;
  return {
    address: {
      case: "socketAddress",
      value: { address: host, portSpecifier: { case: "portValue", value: port } },
    },
  };
}
