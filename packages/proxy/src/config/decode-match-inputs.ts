import type { DynamicMetadataInput } from "@weft/xds/gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb";
import type { HttpRequestHeaderMatchInput } from "@weft/xds/gen/envoy/type/matcher/v3/http_inputs_pb";
import type { TypedExtensionConfig } from "@weft/xds/gen/xds/core/v3/extension_pb";
import {
  applicationProtocolInput,
  destinationIpInput,
  destinationPortInput,
  directSourceIpInput,
  dnsSanInput,
  metadataInput,
  requestHeaderInput,
  serverNameInput,
  sourceIpInput,
  sourcePortInput,
  sourceTypeInput,
  subjectInput,
  transportProtocolInput,
  uriSanInput,
} from "../matching/match-inputs.ts";
import type { MatchInput } from "../matching/match-tree.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

const network = "envoy.extensions.matching.common_inputs.network.v3.";
const ssl = "envoy.extensions.matching.common_inputs.ssl.v3.";

const headerInput = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput";

/** Inputs without settings of their own. */
const plain: Readonly<Record<string, MatchInput>> = {
  [`${network}DestinationIPInput`]: destinationIpInput,
  [`${network}DestinationPortInput`]: destinationPortInput,
  [`${network}SourceIPInput`]: sourceIpInput,
  [`${network}SourcePortInput`]: sourcePortInput,
  [`${network}DirectSourceIPInput`]: directSourceIpInput,
  [`${network}ServerNameInput`]: serverNameInput,
  [`${ssl}UriSanInput`]: uriSanInput,
  [`${ssl}DnsSanInput`]: dnsSanInput,
  [`${ssl}SubjectInput`]: subjectInput,
};

/** Inputs of connections whose filter chain is still to be chosen. */
const beforeChoice: Readonly<Record<string, MatchInput>> = {
  [`${network}DestinationIPInput`]: destinationIpInput,
  [`${network}DestinationPortInput`]: destinationPortInput,
  [`${network}SourceIPInput`]: sourceIpInput,
  [`${network}SourcePortInput`]: sourcePortInput,
  [`${network}DirectSourceIPInput`]: directSourceIpInput,
  [`${network}SourceTypeInput`]: sourceTypeInput,
  [`${network}ServerNameInput`]: serverNameInput,
  [`${network}TransportProtocolInput`]: transportProtocolInput,
  [`${network}ApplicationProtocolInput`]: applicationProtocolInput,
};

/** What a matcher is about: whole requests, their headers alone, connections of which nothing has been read, or those whose filter chain is still to be chosen. */
export type MatchSubject = "request" | "headers" | "connection" | "listener";

/** Stands in for an input that was refused; the resource is never used. */
const nothing: MatchInput = () => undefined;

export function decodeMatchInput(
  input: TypedExtensionConfig | undefined,
  subject: MatchSubject,
  path: string,
  issues: Issues,
): MatchInput {
  const message = input?.typedConfig && unpackAny(input.typedConfig);
  if (!message) {
    // What is not known at all was reported when the document was read.
    if (!input?.typedConfig) issues.add(path, "is missing", "say what to look at in `typed_config`");
    return nothing;
  }
  const place = at(path, "typed_config");
  if (subject === "headers" && message.$typeName !== headerInput) {
    issues.add(place, "routes are chosen by request headers only", `use ${headerInput}`);
    return nothing;
  }
  const known = (subject === "listener" ? beforeChoice : plain)[message.$typeName];
  if (known) return known;
  if (subject === "listener") {
    issues.add(place, `${message.$typeName} is not known of a connection before its filter chain`);
    return nothing;
  }
  if (message.$typeName === `${network}DynamicMetadataInput`) {
    return decodeMetadataInput(message as DynamicMetadataInput, place, issues);
  }
  if (message.$typeName === headerInput) {
    const { headerName } = message as HttpRequestHeaderMatchInput;
    if (subject === "connection") issues.add(place, "a connection has no request to look at yet");
    if (headerName === "") issues.add(at(place, "header_name"), "is empty", "name the header to look at");
    return requestHeaderInput(headerName);
  }
  issues.add(place, `${message.$typeName} is nothing a matcher can look at`);
  return nothing;
}

function decodeMetadataInput(message: DynamicMetadataInput, path: string, issues: Issues): MatchInput {
  const keys = message.path.map(({ segment }) => (segment.case === "key" ? segment.value : ""));
  if (message.filter === "") issues.add(at(path, "filter"), "is empty", "name the filter that set the value");
  if (keys.length === 0 || keys.includes("")) {
    issues.add(at(path, "path"), "names no key", "name the keys to the value, from the outside in");
  }
  return metadataInput(message.filter, keys);
}
