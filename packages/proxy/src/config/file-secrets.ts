import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { createRegistry, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { messageOf } from "@weft/base/errors";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { DiscoveryResponseSchema } from "@weft/xds/gen/envoy/service/discovery/v3/discovery_pb";
import { typeUrl } from "@weft/xds/type-url";
import { parseDocument } from "./document.ts";
import { unpackAny } from "./extension-registry.ts";
import { Issues } from "./issues.ts";
import type { IncomingResource } from "./live-config.ts";
import { checkJson } from "./strict-json.ts";
import type { ResourceHandler, ResourceStream } from "./xds-session.ts";

const registry = createRegistry(SecretSchema);

/**
 * Delivers the secrets of a `path_config_source` file, a DiscoveryResponse in
 * YAML or JSON, now and whenever the file is replaced. A file that cannot be
 * read or that is wrong leaves the former secrets in force and is reported.
 */
export function openFileSecrets(
  file: string,
  handle: ResourceHandler,
  report: (message: string) => void,
): ResourceStream {
  let wanted: ReadonlySet<string> = new Set();
  let lastText = "";
  let watcher: FSWatcher | undefined;

  const load = () => {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      report(`cannot read secrets from ${file}: ${messageOf(error)}`);
      return;
    }
    if (text === lastText) return;
    lastText = text;
    try {
      const error = handle(typeUrl.secret, readSecrets(file, text, wanted), []);
      if (error) report(`${file}: ${error}`);
    } catch (error) {
      report(messageOf(error));
    }
  };

  return {
    subscribe(_type, names) {
      wanted = names ?? new Set();
      lastText = "";
      // The directory, because a replaced file is another file under the same name.
      watcher ??= watch(dirname(file), { persistent: false }, load);
      // Not within the call that subscribes: the caller is in the middle of a change.
      queueMicrotask(load);
    },
    hold() {},
    close() {
      watcher?.close();
    },
  };
}

function readSecrets(file: string, text: string, wanted: ReadonlySet<string>): readonly IncomingResource[] {
  const document = parseDocument(file, text);
  const issues = new Issues();
  checkJson(DiscoveryResponseSchema, document.value, registry, issues);
  if (!issues.isEmpty) throw new Error(issues.format((issue) => `${document.locate(issue.path)}: `));
  const response = fromJson(DiscoveryResponseSchema, document.value as JsonValue, { registry });
  return response.resources.flatMap((any: Any) => {
    const secret = unpackAny(any, registry);
    if (!secret || secret.$typeName !== SecretSchema.typeName) return [];
    const body = toBinary(SecretSchema, secret as never);
    const { name } = secret as unknown as { readonly name: string };
    return wanted.has(name) ? [{ name, version: response.versionInfo, body }] : [];
  });
}
