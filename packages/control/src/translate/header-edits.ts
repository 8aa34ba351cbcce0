import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { HeaderEdits, HeaderOperations } from "../model/routing.ts";

type HeaderOption = MessageInitShape<typeof HeaderValueOptionSchema>;

/** The header fields that a Route and a weighted cluster share; empty where nothing is edited. */
export function headerFields({ request, response }: HeaderEdits) {
  const requestSet = { ...request, set: request.set.filter(({ name }) => !isHost(name)) };
  return {
    requestHeadersToAdd: toAdd(requestSet),
    requestHeadersToRemove: [...request.remove],
    responseHeadersToAdd: toAdd(response),
    responseHeadersToRemove: [...response.remove],
  };
}

/** The host a request is sent to, when its edits set one: a host is rewritten, not added. */
export function hostFromEdits({ request }: HeaderEdits): string | undefined {
  return request.set.find(({ name }) => isHost(name))?.value;
}

function isHost(name: string): boolean {
  return name === ":authority" || name.toLowerCase() === "host";
}

function toAdd({ set, add }: HeaderOperations): HeaderOption[] {
  const option =
    (appendAction: AppendAction) =>
    ({ name, value }: { name: string; value: string }): HeaderOption => ({
      header: { key: name, value },
      appendAction,
    });
  return [
    ...set.map(option(AppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...add.map(option(AppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ];
}
