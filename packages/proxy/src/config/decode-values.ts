import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { messageOf } from "@weft/base/errors";
import {
  type Address,
  type CidrRange as CidrRangeMessage,
  SocketAddress_Protocol,
} from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import type {
  DataSource,
  Metadata,
  RuntimeFractionalPercent,
} from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { HeaderMatcher } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { RegexMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/regex_pb";
import type { StringMatcher } from "@weft/xds/gen/envoy/type/matcher/v3/string_pb";
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
} from "@weft/xds/gen/envoy/type/v3/percent_pb";
import type { CidrRange } from "../listener/listener-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { HeaderValue } from "../route/header-edits.ts";
import {
  compileHeaderMatcher,
  type HeaderMatcherSpec,
  type RequestPredicate,
} from "../route/request-matcher.ts";
import {
  compileStringMatcher,
  type StringMatcherSpec,
  type StringPredicate,
} from "../route/string-matcher.ts";
import type { DecodeContext } from "./decode-context.ts";
import { at, type Issues } from "./issues.ts";

const never = () => false;

/** Milliseconds, rounded up so that a positive duration never becomes 0, which means "none". */
export function durationMs(duration: Duration | undefined, fallback: number): number {
  if (!duration) return fallback;
  return Math.ceil(Number(duration.seconds) * 1000 + duration.nanos / 1e6);
}

/** As `durationMs`, refusing negative ones. */
export function timeoutMs(
  duration: Duration | undefined,
  fallback: number,
  path: string,
  issues: Issues,
): number {
  const value = durationMs(duration, fallback);
  if (value < 0) issues.add(path, "a duration cannot be negative");
  return value;
}

export function decodeAddress(
  address: Address | undefined,
  path: string,
  issues: Issues,
  isDatagram = false,
): SocketAddress | undefined {
  const value = address?.address;
  if (value?.case === "pipe") return { kind: "pipe", path: value.value.path };
  if (value?.case !== "socketAddress") {
    issues.add(path, "needs `socket_address` or `pipe`");
    return undefined;
  }
  const { address: host, portSpecifier, protocol } = value.value;
  if (protocol === SocketAddress_Protocol.UDP && !isDatagram) {
    issues.add(at(path, "socket_address.protocol"), "UDP is not spoken here", "remove it");
  }
  if (host === "")
    issues.add(at(path, "socket_address.address"), "is empty", "give an IP address or a host name");
  const port = portSpecifier.case === "portValue" ? portSpecifier.value : 0;
  if (port > 65_535) issues.add(at(path, "socket_address.port_value"), `${port} is not a port`, "0 to 65535");
  return { kind: "ip", host, port, ...(value.value.ipv4Compat ? { isIpv4Compatible: true } : {}) };
}

export function decodeCidr(
  range: Pick<CidrRangeMessage, "addressPrefix" | "prefixLen">,
  path: string,
  issues: Issues,
): CidrRange {
  const version = isIP(range.addressPrefix);
  const prefixLength = range.prefixLen ?? 0;
  if (version === 0)
    issues.add(at(path, "address_prefix"), `${JSON.stringify(range.addressPrefix)} is not an IP address`);
  else if (prefixLength > (version === 4 ? 32 : 128)) {
    issues.add(at(path, "prefix_len"), `${prefixLength} is too long for an IPv${version} address`);
  }
  return { address: range.addressPrefix, prefixLength };
}

/** Reports a resource that is to come over ADS where there is no ADS server. */
export function requireAds(path: string, { hasAds, issues }: Pick<DecodeContext, "hasAds" | "issues">): void {
  if (!hasAds)
    issues.add(path, "there is no ADS server to ask", "set dynamic_resources.ads_config in the bootstrap");
}

/** The bytes of a data source. Reports a missing file or variable and gives undefined. */
export function readDataSource(
  source: DataSource | undefined,
  path: string,
  issues: Issues,
): Buffer | undefined {
  const specifier = source?.specifier;
  switch (specifier?.case) {
    case "inlineString":
      return Buffer.from(specifier.value, "utf8");
    case "inlineBytes":
      return Buffer.from(specifier.value);
    case "filename":
      try {
        return readFileSync(specifier.value);
      } catch (error) {
        issues.add(at(path, "filename"), `cannot read ${specifier.value}: ${messageOf(error)}`);
        return undefined;
      }
    case "environmentVariable": {
      const value = process.env[specifier.value];
      if (value === undefined) {
        issues.add(at(path, "environment_variable"), `${specifier.value} is not set`);
        return undefined;
      }
      return Buffer.from(value, "utf8");
    }
    default:
      issues.add(path, "needs one of `filename`, `inline_bytes`, `inline_string`, `environment_variable`");
      return undefined;
  }
}

/** Runs a compiler of RE2 expressions and reports what it refuses. */
export function compiled<T>(compile: () => T, fallback: T, path: string, issues: Issues): T {
  try {
    return compile();
  } catch (error) {
    issues.add(path, messageOf(error), "write it in RE2 syntax: no back-references, no look-around");
    return fallback;
  }
}

export function decodeStringMatcher(
  matcher: StringMatcher | undefined,
  path: string,
  issues: Issues,
): StringPredicate {
  const spec = stringMatcherSpec(matcher, path, issues);
  return spec ? compiled(() => compileStringMatcher(spec), never, path, issues) : never;
}

export function stringMatcherSpec(
  matcher: StringMatcher | undefined,
  path: string,
  issues: Issues,
): StringMatcherSpec | undefined {
  const pattern = matcher?.matchPattern;
  const ignoreCase = matcher?.ignoreCase ?? false;
  switch (pattern?.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      return { kind: pattern.case, text: pattern.value, ignoreCase };
    case "safeRegex":
      return { kind: "regex", text: pattern.value.regex, ignoreCase };
    default:
      issues.add(path, "needs one of `exact`, `prefix`, `suffix`, `contains`, `safe_regex`");
      return undefined;
  }
}

export function decodeHeaderMatcher(matcher: HeaderMatcher, path: string, issues: Issues): RequestPredicate {
  if (matcher.name === "") issues.add(at(path, "name"), "is empty", "name the header to match");
  const test = headerTest(matcher, path, issues);
  return compileHeaderMatcher({
    name: matcher.name,
    test,
    invert: matcher.invertMatch,
    treatMissingAsEmpty: matcher.treatMissingHeaderAsEmpty,
  });
}

function headerTest(matcher: HeaderMatcher, path: string, issues: Issues): HeaderMatcherSpec["test"] {
  const specifier = matcher.headerMatchSpecifier;
  const value = (spec: Omit<StringMatcherSpec, "ignoreCase">): HeaderMatcherSpec["test"] => ({
    kind: "value",
    matches: compiled(() => compileStringMatcher({ ...spec, ignoreCase: false }), never, path, issues),
  });
  switch (specifier.case) {
    case "stringMatch":
      return {
        kind: "value",
        matches: decodeStringMatcher(specifier.value, at(path, "string_match"), issues),
      };
    case "exactMatch":
      return value({ kind: "exact", text: specifier.value });
    case "prefixMatch":
      return value({ kind: "prefix", text: specifier.value });
    case "suffixMatch":
      return value({ kind: "suffix", text: specifier.value });
    case "containsMatch":
      return value({ kind: "contains", text: specifier.value });
    case "safeRegexMatch":
      return value({ kind: "regex", text: specifier.value.regex });
    case "rangeMatch":
      return { kind: "range", start: Number(specifier.value.start), end: Number(specifier.value.end) };
    case "presentMatch":
      return { kind: "present", expected: specifier.value };
    default:
      return { kind: "present", expected: true };
  }
}

/** The expression of a regex matcher, refused when empty. */
export function regexText(matcher: RegexMatcher | undefined, path: string, issues: Issues): string {
  if (!matcher || matcher.regex === "") issues.add(at(path, "regex"), "is empty", "give an RE2 expression");
  return matcher?.regex ?? "";
}

const denominators: Readonly<Record<FractionalPercent_DenominatorType, 100 | 10_000 | 1_000_000>> = {
  [FractionalPercent_DenominatorType.HUNDRED]: 100,
  [FractionalPercent_DenominatorType.TEN_THOUSAND]: 10_000,
  [FractionalPercent_DenominatorType.MILLION]: 1_000_000,
};

export function denominatorOf(percent: FractionalPercent): 100 | 10_000 | 1_000_000 {
  return denominators[percent.denominator] ?? 100;
}

/** The share in 0 to 1. A static runtime value, a percentage, replaces the default. */
export function decodeFraction(
  fraction: RuntimeFractionalPercent | undefined,
  runtime: ReadonlyMap<string, unknown>,
): number {
  if (!fraction) return 1;
  const override = runtime.get(fraction.runtimeKey);
  if (typeof override === "number") return Math.min(override / 100, 1);
  const percent = fraction.defaultValue;
  return percent ? Math.min(percent.numerator / denominatorOf(percent), 1) : 0;
}

/** The string, number and boolean values under one filter's metadata, as text, sorted by key. */
export function metadataPairs(
  metadata: Readonly<Record<string, unknown>> | undefined,
): readonly (readonly [key: string, value: string])[] {
  return Object.entries(metadata ?? {})
    .filter(([, value]) => typeof value !== "object")
    .map(([key, value]) => [key, String(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Subset criteria, or undefined when none are given. */
export function subsetOf(
  metadata: Metadata | undefined,
): readonly (readonly [key: string, value: string])[] | undefined {
  const pairs = metadataPairs(metadata?.filterMetadata["envoy.lb"]);
  return pairs.length > 0 ? pairs : undefined;
}

/** The YAML a resource was made from, as the control plane noted it. */
export function originOf(metadata: Metadata | undefined): string | undefined {
  const istio = metadata?.filterMetadata.istio;
  const origin = istio?.origin ?? istio?.config;
  return typeof origin === "string" ? origin : undefined;
}

/** A value with command operators; reports what is none and gives it as it stands. */
export function decodeHeaderValue(
  format: string,
  path: string,
  { factories, issues }: Pick<DecodeContext, "factories" | "issues">,
): HeaderValue {
  try {
    return factories.headerValue(format);
  } catch (error) {
    issues.add(path, messageOf(error), "write a literal % as %%");
    return format;
  }
}
