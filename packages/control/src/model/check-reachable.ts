import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import type { HttpMatchSpec, StringMatch } from "../config/virtual-service-specs.ts";

/** Of thousands of matches, a later one is compared to so many earlier ones. */
const maxCompared = 64;

/** A rule without conditions ends the list; a match that one before covers never applies. */
export function checkReachable(resource: ResourceOf<"VirtualService">, diagnostics: Diagnostics): void {
  const seen: { readonly match: HttpMatchSpec; readonly rule: number }[] = [];
  let catchAll: number | undefined;
  (resource.spec.http ?? []).forEach((route, i) => {
    if (catchAll !== undefined) {
      const message = `spec.http[${i}] never applies: spec.http[${catchAll}] already matches every request`;
      const at = resource.origins.at(`spec.http[${i}]`);
      diagnostics.warning("IST0130", at, message, "put the rule without match last");
      return;
    }
    const matches = route.match ?? [];
    const isWhole = !route.delegate;
    matches.forEach((match, j) => {
      const first = seen.find((earlier) => covers(earlier.match, match));
      if (first) {
        const isSame = covers(match, first.match);
        const how = isSame ? "matches the same" : "matches all of it";
        diagnostics.warning(
          "IST0131",
          resource.origins.at(`spec.http[${i}].match[${j}]`),
          `spec.http[${i}].match[${j}] never applies: spec.http[${first.rule}] ${how}`,
          isSame ? "remove one of them" : "put the narrower rule first",
        );
      }
    });
    for (const match of isWhole ? matches : []) {
      if (seen.length < maxCompared && isForMesh(match)) seen.push({ match, rule: i });
    }
    const isAll = matches.length === 0 || matches.some((match) => isForMesh(match) && isAlways(match));
    // What delegates takes only what its delegate does.
    if (isAll && isWhole) catchAll = i;
  });
}

function isForMesh({ gateways }: HttpMatchSpec): boolean {
  return !gateways?.length || gateways.includes("mesh");
}

function isAlways(match: HttpMatchSpec): boolean {
  return covers(match, {});
}

/** Whether every request that `narrow` matches is matched by `wide`. Where it cannot be told it is not. */
export function covers(wide: HttpMatchSpec, narrow: HttpMatchSpec): boolean {
  return (
    coversUri(wide, narrow) &&
    (["scheme", "method", "authority"] as const).every((field) => coversText(wide[field], narrow[field])) &&
    coversNamed(wide.headers, narrow.headers) &&
    coversNamed(wide.queryParams, narrow.queryParams) &&
    Object.entries(wide.withoutHeaders ?? {}).every(([name, match]) => {
      const own = narrow.withoutHeaders?.[name];
      return own !== undefined && isSameText(match, own);
    }) &&
    (wide.port === undefined || wide.port === narrow.port) &&
    (!wide.sourceNamespace || wide.sourceNamespace === narrow.sourceNamespace) &&
    Object.entries(wide.sourceLabels ?? {}).every(([name, value]) => narrow.sourceLabels?.[name] === value)
  );
}

function coversUri(wide: HttpMatchSpec, narrow: HttpMatchSpec): boolean {
  if (wide.ignoreUriCase) {
    if (wide.uri?.regex !== undefined) return coversText(wide.uri, narrow.uri);
    return coversText(lowered(wide.uri), lowered(narrow.uri));
  }
  // In any case it matches more than one spelling: of them only what stands for every path covers all.
  if (narrow.ignoreUriCase && wide.uri?.prefix !== "/") return wide.uri === undefined;
  return coversText(wide.uri, narrow.uri) || wide.uri?.prefix === "/" || wide.uri?.prefix === "";
}

function lowered(match: StringMatch | undefined): StringMatch | undefined {
  if (match?.exact !== undefined) return { exact: match.exact.toLowerCase() };
  if (match?.prefix !== undefined) return { prefix: match.prefix.toLowerCase() };
  return match;
}

function coversNamed(wide: HttpMatchSpec["headers"], narrow: HttpMatchSpec["headers"]): boolean {
  return Object.entries(wide ?? {}).every(([name, match]) => {
    const own = Object.entries(narrow ?? {}).find(([other]) => other.toLowerCase() === name.toLowerCase());
    return own !== undefined && coversText(match, own[1]);
  });
}

function coversText(wide: StringMatch | undefined, narrow: StringMatch | undefined): boolean {
  if (!wide) return true;
  if (!narrow) return false;
  const { prefix } = wide;
  if (prefix !== undefined) {
    return (narrow.exact ?? narrow.prefix)?.startsWith(prefix) ?? false;
  }
  // An empty match asks for presence, which every other one implies.
  if (wide.exact === undefined && wide.regex === undefined) return true;
  return isSameText(wide, narrow);
}

function isSameText(a: StringMatch, b: StringMatch): boolean {
  return a.exact === b.exact && a.prefix === b.prefix && a.regex === b.regex;
}
