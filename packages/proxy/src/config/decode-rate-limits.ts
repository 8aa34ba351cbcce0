import {
  type RateLimit_Action_MetaData as MetaData,
  RateLimit_Action_MetaData_Source as MetadataSource,
  type RateLimit,
  type RateLimit_Action as RateLimitAction,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { MetadataKey } from "@weft/xds/gen/envoy/type/metadata/v3/metadata_pb";
import type { DescriptorAction, RateLimitPolicy } from "../filters/rate-limit/descriptors.ts";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import { maskAddress } from "../net/cidr.ts";
import { readHeader } from "../route/request-matcher.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeQueryParameter } from "./decode-route-match.ts";
import { decodeHeaderMatcher } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const maxStage = 10;
const never: DescriptorAction = () => undefined;

/** The limits of a route, a virtual host or a filter. */
export function decodeRateLimits(
  limits: readonly RateLimit[],
  path: string,
  context: DecodeContext,
): readonly RateLimitPolicy[] {
  return limits.map((limit, i) => {
    const place = `${path}[${i}]`;
    const stage = limit.stage ?? 0;
    if (stage > maxStage) {
      context.issues.add(at(place, "stage"), `${stage} is out of range`, `0 to ${maxStage}`);
    }
    if (limit.actions.length === 0) context.issues.add(at(place, "actions"), "is empty");
    return {
      stage,
      actions: limit.actions.map((action, j) =>
        decodeAction(action, `${at(place, "actions")}[${j}]`, context),
      ),
    };
  });
}

function decodeAction(
  { actionSpecifier: action }: RateLimitAction,
  path: string,
  context: DecodeContext,
): DescriptorAction {
  const { issues, services } = context;
  switch (action.case) {
    case "sourceCluster": {
      const pair = ["source_cluster", services.localCluster] as const;
      return () => pair;
    }
    case "destinationCluster":
      return (exchange) => {
        const name = exchange.cluster?.name;
        return name === undefined ? undefined : ["destination_cluster", name];
      };
    case "requestHeaders": {
      const { headerName, descriptorKey, skipIfAbsent } = action.value;
      requireText(headerName, at(path, "request_headers.header_name"), issues);
      requireText(descriptorKey, at(path, "request_headers.descriptor_key"), issues);
      const name = headerName.toLowerCase();
      const absent = skipIfAbsent ? "skip" : undefined;
      return (exchange) => {
        const value = exchange.request && readHeader(exchange.request, name);
        return value === undefined ? absent : [descriptorKey, value];
      };
    }
    case "queryParameters": {
      const { queryParameterName, descriptorKey, skipIfAbsent } = action.value;
      requireText(queryParameterName, at(path, "query_parameters.query_parameter_name"), issues);
      requireText(descriptorKey, at(path, "query_parameters.descriptor_key"), issues);
      const absent = skipIfAbsent ? "skip" : undefined;
      return (exchange) => {
        const value = queryOf(exchange).get(queryParameterName);
        return value === null ? absent : [descriptorKey, value];
      };
    }
    case "remoteAddress":
      return (exchange) => {
        const address = exchange.clientAddress ?? exchange.connection.remote;
        return address.kind === "ip" ? ["remote_address", address.host] : undefined;
      };
    case "maskedRemoteAddress": {
      const { v4PrefixMaskLen = 32, v6PrefixMaskLen = 128 } = action.value;
      if (v4PrefixMaskLen > 32)
        issues.add(at(path, "masked_remote_address.v4_prefix_mask_len"), "is above 32");
      if (v6PrefixMaskLen > 128)
        issues.add(at(path, "masked_remote_address.v6_prefix_mask_len"), "is above 128");
      return (exchange) => {
        const address = exchange.clientAddress ?? exchange.connection.remote;
        if (address.kind !== "ip") return undefined;
        return ["masked_remote_address", maskAddress(address.host, v4PrefixMaskLen, v6PrefixMaskLen)];
      };
    }
    case "genericKey": {
      const { descriptorKey, descriptorValue } = action.value;
      requireText(descriptorValue, at(path, "generic_key.descriptor_value"), issues);
      const pair = [descriptorKey || "generic_key", descriptorValue] as const;
      return () => pair;
    }
    case "headerValueMatch": {
      const { descriptorKey, descriptorValue, expectMatch = true, headers } = action.value;
      const place = at(path, "header_value_match");
      requireText(descriptorValue, at(place, "descriptor_value"), issues);
      if (headers.length === 0) issues.add(at(place, "headers"), "is empty");
      const tests = headers.map((matcher, i) =>
        decodeHeaderMatcher(matcher, `${at(place, "headers")}[${i}]`, issues),
      );
      const pair = [descriptorKey || "header_match", descriptorValue] as const;
      return ({ request }) =>
        request && tests.every((matches) => matches(request)) === expectMatch ? pair : undefined;
    }
    case "queryParameterValueMatch": {
      const { descriptorKey, descriptorValue, expectMatch = true, queryParameters } = action.value;
      const place = at(path, "query_parameter_value_match");
      requireText(descriptorValue, at(place, "descriptor_value"), issues);
      if (queryParameters.length === 0) issues.add(at(place, "query_parameters"), "is empty");
      const tests = queryParameters.map((matcher, i) =>
        decodeQueryParameter(matcher, `${at(place, "query_parameters")}[${i}]`, context),
      );
      const pair = [descriptorKey || "query_match", descriptorValue] as const;
      return ({ request }) =>
        request && tests.every((matches) => matches(request, undefined)) === expectMatch ? pair : undefined;
    }
    case "dynamicMetadata":
      return metadataAction({ ...action.value, skipIfAbsent: false }, at(path, "dynamic_metadata"), issues);
    case "metadata": {
      const place = at(path, "metadata");
      if (action.value.source !== MetadataSource.DYNAMIC) {
        issues.add(
          at(place, "source"),
          "only DYNAMIC metadata is known to this proxy",
          "leave it at DYNAMIC",
        );
      }
      return metadataAction(action.value, place, issues);
    }
    default:
      issues.add(path, "needs an action this proxy knows");
      return never;
  }
}

function metadataAction(
  {
    descriptorKey,
    metadataKey,
    defaultValue,
    skipIfAbsent,
  }: Pick<MetaData, "descriptorKey" | "metadataKey" | "defaultValue" | "skipIfAbsent">,
  path: string,
  issues: Issues,
): DescriptorAction {
  requireText(descriptorKey, at(path, "descriptor_key"), issues);
  const { filter, keys } = decodeMetadataKey(metadataKey, at(path, "metadata_key"), issues);
  const absent = skipIfAbsent ? "skip" : undefined;
  return ({ dynamicMetadata }) => {
    const found = metadataAt(dynamicMetadata, filter, keys);
    const value = typeof found === "string" && found !== "" ? found : defaultValue;
    return value === "" ? absent : [descriptorKey, value];
  };
}

function decodeMetadataKey(key: MetadataKey | undefined, path: string, issues: Issues) {
  const keys = (key?.path ?? []).map(({ segment }) => (segment.case === "key" ? segment.value : ""));
  if (!key || key.key === "") issues.add(at(path, "key"), "is empty", "name the filter that set the value");
  if (keys.length === 0 || keys.includes("")) issues.add(at(path, "path"), "needs keys");
  return { filter: key?.key ?? "", keys };
}

function requireText(text: string, path: string, issues: Issues): void {
  if (text === "") issues.add(path, "is empty");
}

function queryOf({ request }: Exchange): URLSearchParams {
  const path = request?.path ?? "";
  const mark = path.indexOf("?");
  return new URLSearchParams(mark < 0 ? "" : path.slice(mark + 1));
}
