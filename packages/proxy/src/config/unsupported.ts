import {
  type DescField,
  type DescMessage,
  isFieldSet,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type LoadBalancingPolicy_Policy,
  LoadBalancingPolicy_PolicySchema,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import {
  type FilterConfig,
  FilterConfigSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { anySchema, unpackAny } from "./extension-registry.ts";
import { at, atKey, type Issues } from "./issues.ts";
import { reportUnknownType } from "./strict-json.ts";
import { supportTable } from "./support-table.ts";

/**
 * Reports every field that is set but not acted upon, at any depth: a field is
 * either in the support table or refused by name. Nothing is ever ignored
 * silently.
 */
export function reportUnsupported(
  schema: DescMessage,
  message: Message,
  registry: Registry,
  issues: Issues,
  path = "",
): void {
  if (isOpaque(schema)) return;
  const support = supportOf(schema);
  if (!support) {
    issues.add(path, `${schema.typeName} is not implemented by this proxy`, "remove it");
    return;
  }
  for (const unknown of message.$unknown ?? []) {
    issues.add(path, `field number ${unknown.no} is not part of ${schema.typeName} as known here`);
  }
  for (const { field, kind } of support) {
    if (!isFieldSet(message, field as never)) continue;
    const value = read(message, field);
    const fieldPath = at(path, field.name);
    if (kind === "refused") {
      issues.add(fieldPath, `\`${field.name}\` is not implemented by this proxy`, "remove it");
    } else if (kind === "neutral" && !isNeutral(field, value)) {
      issues.add(
        fieldPath,
        `\`${field.name}\` is not implemented by this proxy`,
        "remove it or leave it at its default",
      );
    } else if (kind === "implemented" && field.message) {
      visit(field, field.message, value, registry, issues, fieldPath);
    }
  }
}

type FieldKind = "implemented" | "harmless" | "neutral" | "refused";

interface FieldSupport {
  readonly field: DescField;
  readonly kind: FieldKind;
}

const compiled = new WeakMap<DescMessage, readonly FieldSupport[] | undefined>();

function supportOf(schema: DescMessage): readonly FieldSupport[] | undefined {
  if (compiled.has(schema)) return compiled.get(schema);
  const entry = supportTable[schema.typeName];
  const implemented = new Set(entry?.implemented.split(" "));
  const support =
    entry &&
    schema.fields.map((field): FieldSupport => {
      if (implemented.has(field.name)) return { field, kind: "implemented" };
      if (entry.harmless && field.name in entry.harmless) return { field, kind: "harmless" };
      if (entry.neutral?.split(" ").includes(field.name)) return { field, kind: "neutral" };
      return { field, kind: "refused" };
    });
  compiled.set(schema, support);
  return support;
}

function visit(
  field: DescField,
  schema: DescMessage,
  value: unknown,
  registry: Registry,
  issues: Issues,
  path: string,
): void {
  if (field.fieldKind === "list") {
    (value as readonly Message[]).forEach((item, i) => {
      visitMessage(schema, item, registry, issues, `${path}[${i}]`);
    });
  } else if (field.fieldKind === "map") {
    for (const [key, item] of Object.entries(value as Readonly<Record<string, Message>>)) {
      visitMessage(schema, item, registry, issues, atKey(path, key));
    }
  } else {
    visitMessage(schema, value as Message, registry, issues, path);
  }
}

/** Envoy's promises: of an optional filter and of a list of load balancing policies, what is not known is left out. */
function isSkippable(schema: DescMessage, message: Message, registry: Registry): boolean {
  if (schema.typeName === LoadBalancingPolicy_PolicySchema.typeName) {
    const any = (message as LoadBalancingPolicy_Policy).typedExtensionConfig?.typedConfig;
    return any !== undefined && !anySchema(any, registry);
  }
  if (schema.typeName === HttpFilterSchema.typeName) {
    const { isOptional, configType } = message as HttpFilter;
    return isOptional && configType.case === "typedConfig" && !anySchema(configType.value, registry);
  }
  if (schema.typeName === FilterConfigSchema.typeName) {
    const { isOptional, disabled, config } = message as FilterConfig;
    // What is disabled is not read, and an empty type only switches the filter on.
    if (disabled || config?.typeUrl === "") return true;
    return isOptional && config !== undefined && !anySchema(config, registry);
  }
  return false;
}

function visitMessage(
  schema: DescMessage,
  message: Message,
  registry: Registry,
  issues: Issues,
  path: string,
): void {
  if (schema.typeName !== "google.protobuf.Any") {
    if (isSkippable(schema, message, registry)) return;
    reportUnsupported(schema, message, registry, issues, path);
    return;
  }
  const any = message as Any;
  const inner = anySchema(any, registry);
  if (!inner) {
    reportUnknownType(
      any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1),
      registry,
      issues,
      at(path, "@type"),
    );
    return;
  }
  const unpacked = unpackAny(any, registry);
  if (!unpacked) issues.add(path, `does not hold a valid ${inner.typeName}`);
  else if (!isSkippable(inner, unpacked, registry)) {
    reportUnsupported(inner, unpacked, registry, issues, path);
  }
}

function read(message: Message, field: DescField): unknown {
  const record = message as unknown as Readonly<Record<string, unknown>>;
  if (!field.oneof) return record[field.localName];
  return (record[field.oneof.localName] as { readonly value: unknown }).value;
}

/** Types whose content belongs to whoever reads it, or that are plain values. */
function isOpaque(schema: DescMessage): boolean {
  return schema.typeName.startsWith("google.protobuf.");
}

/** The default, spelt out: it asks for nothing. */
function isNeutral(field: DescField, value: unknown): boolean {
  if (field.fieldKind === "list" || field.fieldKind === "map") return false;
  // Wrapped scalars are read as what they wrap.
  if (!field.message || typeof value !== "object") return isZero(value);
  return isEmptyMessage(field.message, value as Message);
}

function isEmptyMessage(schema: DescMessage, message: Message): boolean {
  return schema.fields.every(
    (field) => !isFieldSet(message, field as never) || isNeutral(field, read(message, field)),
  );
}

function isZero(value: unknown): boolean {
  return value === 0 || value === 0n || value === false || value === "";
}
