import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilterChainMatchSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_components_pb";
import type { AddressMatch, Subnet } from "../model/address-match.ts";
import { cidr } from "./messages.ts";

type Match = Exclude<MessageInitShape<typeof FilterChainMatchSchema>, { $typeName: string }>;

/** One pair of subnets that a chain is for, and what tells it from others. */
export interface AddressPair {
  readonly key: string;
  readonly fields: Pick<Match, "prefixRanges" | "sourcePrefixRanges">;
}

/**
 * Every pair of subnets of a match: a listener in which two chains are for one
 * is refused, and of those that overlap the narrower has the connection.
 */
export function addressPairs({ to = [], from = [] }: AddressMatch = {}): AddressPair[] {
  const orAny = (list: readonly Subnet[]): readonly (Subnet | undefined)[] =>
    list.length > 0 ? list : [undefined];
  return orAny(to).flatMap((target) =>
    orAny(from).map((source) => ({
      key: `${textOf(target)} ${textOf(source)}`,
      fields: {
        ...(target ? { prefixRanges: [cidr(target.address, target.prefixLength)] } : {}),
        ...(source ? { sourcePrefixRanges: [cidr(source.address, source.prefixLength)] } : {}),
      },
    })),
  );
}

/** What a pair is of some subnets alone: of those that it names itself, where it names some. */
export function within({ key, fields }: AddressPair, subnets: readonly Subnet[]): AddressPair[] {
  if (fields.prefixRanges) return [{ key, fields }];
  return subnets.map((target) => ({
    key: `${textOf(target)}${key}`,
    fields: { ...fields, prefixRanges: [cidr(target.address, target.prefixLength)] },
  }));
}

function textOf(subnet: Subnet | undefined): string {
  return subnet ? `${subnet.address}/${subnet.prefixLength}` : "";
}
