import type {
  CustomTag as CustomTagMessage,
  CustomTag_Metadata as MetadataTag,
} from "@weft/xds/gen/envoy/type/tracing/v3/custom_tag_pb";
import { childOf, metadataAt } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { CustomTag } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderValue } from "./decode-values.ts";
import { at } from "./issues.ts";

type ReadTag = CustomTag["read"];

/** Tags by name; of several with the same name the last counts. */
export function decodeCustomTags(
  tags: readonly CustomTagMessage[],
  path: string,
  context: DecodeContext,
): ReadonlyMap<string, CustomTag> {
  return new Map(
    tags.map((message, i) => {
      const place = `${path}[${i}]`;
      if (message.tag === "") context.issues.add(at(place, "tag"), "is empty", "name the tag");
      return [message.tag, { name: message.tag, read: decodeRead(message, place, context) }];
    }),
  );
}

function decodeRead({ type }: CustomTagMessage, path: string, context: DecodeContext): ReadTag {
  switch (type.case) {
    case "literal":
      return constant(required(type.value.value, at(path, "literal.value"), context));
    case "environment": {
      const { name, defaultValue } = type.value;
      return constant(process.env[required(name, at(path, "environment.name"), context)] || defaultValue);
    }
    case "requestHeader": {
      const name = required(type.value.name, at(path, "request_header.name"), context).toLowerCase();
      const otherwise = type.value.defaultValue || undefined;
      return ({ request }) => request?.headers.get(name) ?? otherwise;
    }
    case "metadata":
      return decodeMetadata(type.value, at(path, "metadata"), context);
    case "value": {
      const value = decodeHeaderValue(type.value, at(path, "value"), context);
      return typeof value === "string" ? constant(value) : (exchange) => value(exchange) || undefined;
    }
    default:
      context.issues.add(
        path,
        "needs a value",
        "one of literal, environment, request_header, metadata, value",
      );
      return constant("");
  }
}

function required(text: string, path: string, { issues }: DecodeContext): string {
  if (text === "") issues.add(path, "is empty");
  return text;
}

function constant(value: string): ReadTag {
  const read = value === "" ? undefined : value;
  return () => read;
}

function decodeMetadata(tag: MetadataTag, path: string, context: DecodeContext): ReadTag {
  const { issues } = context;
  const namespace = required(tag.metadataKey?.key ?? "", at(path, "metadata_key.key"), context);
  const keys = (tag.metadataKey?.path ?? []).map(({ segment }) => segment.value ?? "");
  if (keys.length === 0 || keys.includes("")) {
    issues.add(at(path, "metadata_key.path"), "needs keys", "say where in the metadata the value is");
  }
  const otherwise = tag.defaultValue || undefined;
  const kind = tag.kind?.kind.case;
  if (kind !== "request" && kind !== "route") {
    issues.add(at(path, "kind"), "is not read by this proxy", "use `request` or `route`");
  }
  const find =
    kind === "request"
      ? ({ dynamicMetadata }: Exchange) => metadataAt(dynamicMetadata, namespace, keys)
      : ({ match }: Exchange) => keys.reduce(childOf, match?.route.metadata?.[namespace]);
  return (exchange) => {
    const value = find(exchange);
    if (value === undefined || value === null) return otherwise;
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };
}
