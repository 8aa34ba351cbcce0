import { grpcCodeNames } from "@weft/xds/grpc/grpc-status";
import { checkExportTo } from "./check-export-to.ts";
import type { CheckedMetadata, Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import { limits } from "./parse-documents.ts";
import type {
  DestinationSpec,
  HeaderOperationsSpec,
  HeadersSpec,
  HttpMatchSpec,
  HttpRouteSpec,
  StringMatch,
  VirtualServiceSpec,
} from "./virtual-service-specs.ts";

/** What `retries.retryOn` may name, besides status codes. */
export const retryConditions = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "envoy-ratelimited",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

export function checkVirtualService(
  spec: VirtualServiceSpec,
  find: Finding,
  metadata: CheckedMetadata,
): void {
  checkExportTo(spec.exportTo, (i) => `spec.exportTo[${i}]`, metadata.namespace, find);
  if (!spec.hosts?.length) checkDelegate(spec, find);
  find.gatewayNames("spec.gateways", spec.gateways);
  spec.hosts?.forEach((host, i) => {
    find.host(`spec.hosts[${i}]`, host);
    const isMeshWide = spec.gateways === undefined || spec.gateways.includes("mesh");
    if (host === "*" && isMeshWide) {
      const hint = "name the hosts, or bind it to a gateway";
      find.error("W1209", `spec.hosts[${i}]`, 'host "*" would capture every call of every sidecar', hint);
    }
  });
  if (!spec.http?.length && !spec.tcp?.length && !spec.tls?.length) {
    find.error("W1207", "spec", "the VirtualService has no routes", "add spec.http, spec.tcp or spec.tls");
  }
  checkAmount(spec, find);
  spec.http?.forEach((route, i) => {
    checkHttpRoute(route, `spec.http[${i}]`, find);
  });
  spec.tcp?.forEach((route, i) => {
    const path = `spec.tcp[${i}]`;
    if (!route.route?.length)
      find.error("W1207", path, `${path} has no route`, "add route with a destination");
    route.match?.forEach((match, j) => {
      find.port(`${path}.match[${j}].port`, match.port);
      find.gatewayNames(`${path}.match[${j}].gateways`, match.gateways);
      checkSubnets(match, `${path}.match[${j}]`, find);
    });
    checkDestinations(route.route ?? [], `${path}.route`, find);
  });
  checkTls(spec, find);
}

function checkAmount({ http = [] }: VirtualServiceSpec, find: Finding): void {
  let matches = 0;
  http.forEach(({ match }, i) => {
    const before = matches;
    matches += Math.max(match?.length ?? 0, 1);
    if (before > limits.matches || matches <= limits.matches) return;
    const message = `the VirtualService has more than ${limits.matches} matches, from spec.http[${i}] on`;
    find.error("W1214", `spec.http[${i}]`, message, "match by prefixes, or by a header that says where to");
  });
}

/** Without hosts it is what others delegate to: they say for which hosts, gateways and callers. */
function checkDelegate({ gateways, http, tcp, tls }: VirtualServiceSpec, find: Finding): void {
  if (!http || tcp || tls) {
    find.error("W1104", "spec", "spec.hosts is missing", 'name the hosts it routes, for example "reviews"');
    return;
  }
  const message = (path: string) =>
    `${path} cannot be set where spec.hosts is not, in what others delegate to`;
  if (gateways?.length) find.error("W1106", "spec.gateways", message("spec.gateways"), "remove it");
  http.forEach((route, i) => {
    const path = `spec.http[${i}]`;
    if (route.delegate) find.error("W1106", `${path}.delegate`, message(`${path}.delegate`), "remove it");
    route.match?.forEach((match, j) => {
      for (const field of ["gateways", "sourceLabels", "sourceNamespace"] as const) {
        const at = `${path}.match[${j}].${field}`;
        if (match[field] !== undefined)
          find.error("W1106", at, message(at), "write it where it is delegated");
      }
    });
  });
}

/** So many pairs of subnets of one match are filter chains of their own. */
const maxSubnets = 256;

function checkSubnets(
  match: { readonly destinationSubnets?: readonly string[]; readonly sourceSubnet?: string },
  path: string,
  find: Finding,
): void {
  const { destinationSubnets = [], sourceSubnet } = match;
  if (destinationSubnets.length > maxSubnets) {
    const at = `${path}.destinationSubnets`;
    find.error("W1105", at, `${at} has more than ${maxSubnets} entries`, "write wider ranges");
  }
  destinationSubnets.forEach((subnet, i) => {
    find.cidr(`${path}.destinationSubnets[${i}]`, subnet);
  });
  if (sourceSubnet) find.cidr(`${path}.sourceSubnet`, sourceSubnet);
}

/** Server names must be among the hosts: the VirtualService is looked up by them. */
function checkTls({ hosts = [], tls }: VirtualServiceSpec, find: Finding): void {
  tls?.forEach((route, i) => {
    const path = `spec.tls[${i}]`;
    if (!route.route?.length)
      find.error("W1207", path, `${path} has no route`, "add route with a destination");
    if (route.match.length === 0)
      find.error("W1207", path, `${path} matches nothing`, "add match with sniHosts");
    route.match.forEach((match, j) => {
      const at = `${path}.match[${j}]`;
      find.port(`${at}.port`, match.port);
      find.gatewayNames(`${at}.gateways`, match.gateways);
      checkSubnets(match, at, find);
      if (match.sniHosts.length === 0) find.error("W1104", `${at}.sniHosts`, `${at}.sniHosts is empty`);
      match.sniHosts.forEach((name, k) => {
        find.host(`${at}.sniHosts[${k}]`, name);
        if (hosts.some((host) => host === name || (host.startsWith("*") && name.endsWith(host.slice(1)))))
          return;
        const message = `${at}.sniHosts[${k}]: "${name}" is none of spec.hosts`;
        find.error("W1203", `${at}.sniHosts[${k}]`, message, "add it there");
      });
    });
    checkDestinations(route.route ?? [], `${path}.route`, find);
  });
}

function checkHttpRoute(route: HttpRouteSpec, path: string, find: Finding): void {
  const actions = [
    route.route && "route",
    route.redirect && "redirect",
    route.directResponse && "directResponse",
    route.delegate && "delegate",
  ];
  const set = actions.filter((action) => action !== undefined);
  if (set.length === 0) {
    find.error("W1207", path, `${path} does nothing`, "add one of route, redirect, directResponse, delegate");
  } else if (set.length > 1) {
    find.error("W1106", path, `${path} sets ${set.join(" and ")} at once`, "only one of them can apply");
  } else if (route.route?.length === 0) {
    find.error("W1207", `${path}.route`, `${path}.route is empty`, "add a destination");
  }
  const used = (["rewrite", "timeout", "retries", "mirror", "mirrors"] as const).find(
    (field) => route[field],
  );
  if (!route.route && !route.delegate && used) {
    find.error("W1106", `${path}.${used}`, `${path}.${used} needs a route`, `remove ${used} or add route`);
  }
  route.match?.forEach((match, i) => {
    checkMatch(match, `${path}.match[${i}]`, find);
  });
  checkDestinations(route.route ?? [], `${path}.route`, find);
  route.route?.forEach((target, i) => {
    checkHeaders(target.headers, `${path}.route[${i}].headers`, find);
  });
  checkHeaders(route.headers, `${path}.headers`, find);
  find.duration(`${path}.timeout`, route.timeout);
  checkDelegation(route, `${path}.delegate`, find);
  checkMirrors(route, path, find);
  checkCors(route, `${path}.corsPolicy`, find);
  checkActions(route, path, find);
}

function checkDelegation({ delegate }: HttpRouteSpec, path: string, find: Finding): void {
  if (delegate && !delegate.name)
    find.error("W1104", path, `${path}.name is missing`, "name a VirtualService");
}

function checkMirrors(route: HttpRouteSpec, path: string, find: Finding): void {
  const { mirror, mirrors } = route;
  if (mirror && mirrors) {
    find.error("W1106", `${path}.mirrors`, `${path} sets mirror and mirrors at once`, "write mirrors only");
  }
  for (const field of ["mirrorPercentage", "mirrorPercent", "mirror_percent"] as const) {
    if (mirror || route[field] === undefined) continue;
    find.error("W1106", `${path}.${field}`, `${path}.${field} needs a mirror`, "remove it or add mirror");
  }
  find.range(`${path}.mirrorPercentage.value`, route.mirrorPercentage?.value, 0, 100);
  find.range(`${path}.mirrorPercent`, route.mirrorPercent, 0, 100);
  find.range(`${path}.mirror_percent`, route.mirror_percent, 0, 100);
  if (mirror) checkDestination(mirror, `${path}.mirror`, find);
  mirrors?.forEach(({ destination, percentage }, i) => {
    checkDestination(destination, `${path}.mirrors[${i}].destination`, find);
    find.range(`${path}.mirrors[${i}].percentage.value`, percentage?.value, 0, 100);
  });
}

function checkCors({ corsPolicy }: HttpRouteSpec, path: string, find: Finding): void {
  if (!corsPolicy) return;
  corsPolicy.allowOrigins?.forEach((match, i) => {
    const at = `${path}.allowOrigins[${i}]`;
    if (Object.keys(match).length === 0) find.error("W1104", at, `${at} is empty`, "name an exact origin");
    checkStringMatch(match, at, find);
  });
  for (const field of ["allowMethods", "allowHeaders", "exposeHeaders"] as const) {
    corsPolicy[field]?.forEach((name, i) => {
      find.headerName(`${path}.${field}[${i}]`, name);
    });
  }
  find.duration(`${path}.maxAge`, corsPolicy.maxAge);
}

function checkActions(route: HttpRouteSpec, path: string, find: Finding): void {
  const { retries, fault, redirect, directResponse, rewrite } = route;
  if (retries) {
    find.range(`${path}.retries.attempts`, retries.attempts, 0, 100);
    find.duration(`${path}.retries.perTryTimeout`, retries.perTryTimeout, { minMs: 1 });
    find.duration(`${path}.retries.backoff`, retries.backoff, { minMs: 1 });
    for (const word of (retries.retryOn ?? "").split(",").map((w) => w.trim())) {
      if (word === "" || /^[1-5]\d\d$/.test(word)) continue;
      find.word(`${path}.retries.retryOn`, word, retryConditions);
    }
  }
  if (fault) {
    if (!fault.delay && !fault.abort)
      find.error("W1207", `${path}.fault`, `${path}.fault does nothing`, "add delay or abort");
    if (fault.delay && fault.delay.fixedDelay === undefined) {
      find.error(
        "W1104",
        `${path}.fault.delay`,
        `${path}.fault.delay.fixedDelay is missing`,
        'for example "5s"',
      );
    }
    if (fault.abort && fault.abort.httpStatus === undefined && fault.abort.grpcStatus === undefined) {
      find.error(
        "W1104",
        `${path}.fault.abort`,
        `${path}.fault.abort.httpStatus is missing`,
        "for example 503",
      );
    }
    if (fault.abort?.grpcStatus !== undefined) {
      find.word(`${path}.fault.abort.grpcStatus`, fault.abort.grpcStatus, grpcCodeNames);
    }
    find.duration(`${path}.fault.delay.fixedDelay`, fault.delay?.fixedDelay, { minMs: 1 });
    find.range(`${path}.fault.delay.percentage.value`, fault.delay?.percentage?.value, 0, 100);
    find.range(`${path}.fault.delay.percent`, fault.delay?.percent, 0, 100);
    find.range(`${path}.fault.abort.httpStatus`, fault.abort?.httpStatus, 200, 599);
    find.range(`${path}.fault.abort.percentage.value`, fault.abort?.percentage?.value, 0, 100);
  }
  if (redirect) {
    const codes = [301, 302, 303, 307, 308];
    if (redirect.redirectCode !== undefined && !codes.includes(redirect.redirectCode)) {
      const message = `${path}.redirect.redirectCode: ${redirect.redirectCode} is not a redirect`;
      find.error("W1103", `${path}.redirect.redirectCode`, message, `one of ${codes.join(", ")}`);
    }
    if (redirect.uri !== undefined && redirect.prefixRewrite !== undefined) {
      find.error("W1106", `${path}.redirect`, `${path}.redirect sets uri and prefixRewrite at once`);
    }
    find.port(`${path}.redirect.port`, redirect.port);
  }
  if (directResponse) {
    find.range(`${path}.directResponse.status`, directResponse.status, 200, 599);
    if ((directResponse.body?.string?.length ?? 0) > 4096) {
      find.error(
        "W1105",
        `${path}.directResponse.body`,
        `${path}.directResponse.body has more than 4096 bytes`,
      );
    }
  }
  if (rewrite) {
    if (rewrite.uri !== undefined && rewrite.uriRegexRewrite) {
      find.error("W1106", `${path}.rewrite`, `${path}.rewrite sets uri and uriRegexRewrite at once`);
    }
    if (rewrite.uriRegexRewrite && !rewrite.uriRegexRewrite.match) {
      find.error(
        "W1104",
        `${path}.rewrite.uriRegexRewrite`,
        `${path}.rewrite.uriRegexRewrite.match is missing`,
      );
    }
    find.regex(`${path}.rewrite.uriRegexRewrite.match`, rewrite.uriRegexRewrite?.match);
  }
}

function checkMatch(match: HttpMatchSpec, path: string, find: Finding): void {
  find.port(`${path}.port`, match.port);
  find.gatewayNames(`${path}.gateways`, match.gateways);
  for (const field of ["uri", "scheme", "method", "authority"] as const) {
    checkStringMatch(match[field], `${path}.${field}`, find);
  }
  if (match.uri?.regex !== undefined && match.ignoreUriCase) {
    find.error(
      "W1106",
      `${path}.ignoreUriCase`,
      `${path}.ignoreUriCase does not apply to a regex`,
      'write "(?i)" into it',
    );
  }
  for (const field of ["headers", "withoutHeaders", "queryParams"] as const) {
    for (const [name, value] of Object.entries(match[field] ?? {})) {
      const at = joinPath(`${path}.${field}`, name);
      if (field !== "queryParams") find.headerName(at, name);
      checkStringMatch(value, at, find);
    }
  }
}

function checkStringMatch(match: StringMatch | undefined, path: string, find: Finding): void {
  if (!match) return;
  find.regex(`${path}.regex`, match.regex);
  if (match.prefix === "")
    find.error("W1105", `${path}.prefix`, `${path}.prefix is empty`, "remove the match to match all");
}

function checkDestination({ host, port }: DestinationSpec, path: string, find: Finding): void {
  find.host(`${path}.host`, host);
  if (host.startsWith("*")) {
    find.error("W1203", `${path}.host`, "a destination cannot be a wildcard", "name one host");
  }
  find.port(`${path}.port.number`, port?.number);
}

function checkDestinations(
  targets: readonly { readonly destination: DestinationSpec; readonly weight?: number }[],
  path: string,
  find: Finding,
): void {
  targets.forEach((target, i) => {
    checkDestination(target.destination, `${path}[${i}].destination`, find);
    find.range(`${path}[${i}].weight`, target.weight, 0, 1_000_000);
  });
  const total = targets.reduce((sum, target) => sum + (target.weight ?? 0), 0);
  if (targets.length > 1 && total === 0) {
    find.error("W1205", path, `the weights of ${path} add up to 0`, "give each destination a weight");
  }
}

function checkHeaders(headers: HeadersSpec | undefined, path: string, find: Finding): void {
  for (const side of ["request", "response"] as const) {
    const operations: HeaderOperationsSpec | undefined = headers?.[side];
    for (const operation of ["set", "add"] as const) {
      for (const [name, value] of Object.entries(operations?.[operation] ?? {})) {
        const at = joinPath(`${path}.${side}.${operation}`, name);
        if (!(side === "request" && operation === "set" && name === ":authority")) find.headerName(at, name);
        find.headerValue(at, value);
      }
    }
    operations?.remove?.forEach((name, i) => {
      const at = `${path}.${side}.remove[${i}]`;
      find.headerName(at, name);
      if (name.toLowerCase() === "host")
        find.error("W1206", at, `${at}: the host cannot be removed`, "set another one");
    });
  }
}
