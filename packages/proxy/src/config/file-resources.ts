import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { createRegistry, type DescMessage, fromJson, toBinary } from "@bufbuild/protobuf";
import { messageOf } from "@weft/base/errors";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { DiscoveryResponseSchema } from "@weft/xds/gen/envoy/service/discovery/v3/discovery_pb";
import { typeUrl } from "@weft/xds/type-url";
import { parseDocument } from "./document.ts";
import { extensionRegistry, unpackAny } from "./extension-registry.ts";
import type { IncomingResource } from "./held-resources.ts";
import { Issues } from "./issues.ts";
import { strictJson } from "./strict-json.ts";
import type { ResourceHandler, ResourceStream } from "./xds-session.ts";

/** The message of each type, and the field that names a resource. */
const kinds: ReadonlyMap<string, { readonly schema: DescMessage; readonly nameField: string }> = new Map([
  [typeUrl.listener, { schema: ListenerSchema, nameField: "name" }],
  [typeUrl.route, { schema: RouteConfigurationSchema, nameField: "name" }],
  [typeUrl.cluster, { schema: ClusterSchema, nameField: "name" }],
  [typeUrl.endpoint, { schema: ClusterLoadAssignmentSchema, nameField: "clusterName" }],
  [typeUrl.secret, { schema: SecretSchema, nameField: "name" }],
]);
const registry = createRegistry(extensionRegistry, ...Array.from(kinds.values(), ({ schema }) => schema));

export interface FileSource {
  readonly file: string;
  /** Whose changes announce a new file; the file's own directory where it is undefined. */
  readonly watched: string | undefined;
}

/**
 * Delivers the resources of one type from a `path_config_source` file, a
 * DiscoveryResponse in YAML or JSON, now and whenever the file is replaced by
 * another (moved into place, as Envoy asks, so that nothing is read half
 * written). A file that cannot be read or that is wrong leaves what was
 * delivered in force and is reported.
 */
export function openFileResources(
  { file, watched }: FileSource,
  type: string,
  handle: ResourceHandler,
  report: (message: string) => void,
): ResourceStream {
  let wanted: ReadonlySet<string> | undefined;
  let delivered: ReadonlySet<string> = new Set();
  let lastText = "";
  let watcher: FSWatcher | undefined;

  const load = () => {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      report(`cannot read ${file}: ${messageOf(error)}`);
      return;
    }
    if (text === lastText) return;
    lastText = text;
    try {
      const resources = readResources(file, text, type).filter(({ name }) => !wanted || wanted.has(name));
      const names = new Set(resources.map(({ name }) => name));
      // Of listeners and clusters a file is the whole truth, as a response is.
      const removed = wanted ? [] : [...delivered].filter((name) => !names.has(name));
      const error = handle(type, resources, removed);
      if (error) report(`${file}: ${error}`);
      delivered = names;
    } catch (error) {
      report(messageOf(error));
    }
  };

  return {
    subscribe(_type, names) {
      wanted = names;
      lastText = "";
      // The directory, because a replaced file is another file under the same name.
      watcher ??= watch(watched ?? dirname(file), { persistent: false }, (event) => {
        if (event === "rename") load();
      });
      // Not within the call that subscribes: the caller is in the middle of a change.
      queueMicrotask(load);
    },
    // A file holds what it holds: there is no asking for more.
    subscribeAlso() {},
    hold() {},
    close() {
      watcher?.close();
    },
  };
}

function readResources(file: string, text: string, type: string): readonly IncomingResource[] {
  const { schema, nameField } = kinds.get(type)!;
  const document = parseDocument(file, text);
  const issues = new Issues();
  const json = strictJson(DiscoveryResponseSchema, document.value, registry, issues);
  if (!issues.isEmpty) throw new Error(issues.format((issue) => `${document.locate(issue.path)}: `));
  const response = fromJson(DiscoveryResponseSchema, json, { registry });
  return response.resources.map((any, i) => {
    const message = unpackAny(any, registry);
    if (message?.$typeName !== schema.typeName) {
      const place = document.locate(`resources[${i}]`);
      throw new Error(`${place}: is a ${message?.$typeName}, where a ${schema.typeName} belongs`);
    }
    const name = (message as unknown as Readonly<Record<string, string>>)[nameField]!;
    return { name, version: response.versionInfo, body: toBinary(schema, message as never) };
  });
}
