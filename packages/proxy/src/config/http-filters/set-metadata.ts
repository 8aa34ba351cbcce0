import type { JsonObject } from "@bufbuild/protobuf";
import { ConfigSchema } from "@weft/xds/gen/envoy/extensions/filters/http/set_metadata/v3/set_metadata_pb";
import {
  createSetMetadataFilter,
  type MetadataEntry,
  overwriteDeniedCounter,
} from "../../filters/set-metadata.ts";
import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import { at } from "../issues.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const setMetadataFilter = httpFilterType(
  ConfigSchema,
  ({ metadataNamespace, value, metadata }, { name, statPrefix, path }, { issues, services }) => {
    const entries: MetadataEntry[] = [];
    // The older fields, which always join what is there.
    if (value) {
      if (metadataNamespace === "")
        issues.add(at(path, "metadata_namespace"), "is empty", "name a namespace");
      entries.push({ namespace: metadataNamespace, mayOverwrite: true, values: valuesOf(value) });
    }
    metadata.forEach((entry, i) => {
      const place = `${at(path, "metadata")}[${i}]`;
      if (entry.metadataNamespace === "")
        issues.add(at(place, "metadata_namespace"), "is empty", "name a namespace");
      if (!entry.value) issues.add(place, "needs `value`");
      entries.push({
        namespace: entry.metadataNamespace,
        mayOverwrite: entry.allowOverwrite,
        values: valuesOf(entry.value ?? {}),
      });
    });
    return createSetMetadataFilter(entries, overwriteDeniedCounter(services.stats, statPrefix), name);
  },
);

function valuesOf(value: JsonObject): ReadonlyMap<string, MetadataValue> {
  return new Map(Object.entries(value as Record<string, MetadataValue>));
}
