import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import { metadataAt } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { RequestHead } from "../layer/message.ts";
import { compileRange } from "./address-range.ts";
import type { MetadataTest, RbacPermission, RbacPrincipal, StringTest } from "./rbac-plan.ts";

/** A compiled condition; without an exchange it is about the connection alone. */
export type Test = (connection: DownstreamConnection, exchange: Exchange | undefined) => boolean;

export function compilePermission(permission: RbacPermission): Test {
  switch (permission.kind) {
    case "any":
      return always;
    case "and":
      return allOf(permission.rules.map(compilePermission));
    case "or":
      return anyOf(permission.rules.map(compilePermission));
    case "not":
      return not(compilePermission(permission.rule));
    case "header":
      return requestTest(permission.matches);
    case "url-path":
      return pathTest(permission.matches);
    case "metadata":
      return metadataTest(permission);
    case "destination-ip": {
      const isInside = compileRange(permission.range);
      return (connection) => isInside(connection.local);
    }
    case "destination-port":
      return portTest((port) => port === permission.port);
    case "destination-port-range":
      return portTest((port) => port >= permission.start && port < permission.end);
    case "requested-server-name":
      return (connection) => permission.matches(connection.requestedServerName);
  }
}

export function compilePrincipal(principal: RbacPrincipal): Test {
  switch (principal.kind) {
    case "any":
      return always;
    case "and":
      return allOf(principal.rules.map(compilePrincipal));
    case "or":
      return anyOf(principal.rules.map(compilePrincipal));
    case "not":
      return not(compilePrincipal(principal.rule));
    case "header":
      return requestTest(principal.matches);
    case "url-path":
      return pathTest(principal.matches);
    case "metadata":
      return metadataTest(principal);
    case "authenticated":
      return authenticatedTest(principal.matches);
    case "direct-remote-ip": {
      const isInside = compileRange(principal.range);
      return (connection) => isInside(connection.directRemote ?? connection.remote);
    }
    case "remote-ip": {
      const isInside = compileRange(principal.range);
      return (connection, exchange) => isInside(exchange?.clientAddress ?? connection.remote);
    }
  }
}

/** Envoy's order: URI names if there are any, else DNS names, else the subject. */
function authenticatedTest(matches: StringTest | undefined): Test {
  return ({ peer }) => {
    if (!peer) return false;
    if (!matches) return true;
    if (peer.uris.length > 0) {
      for (const uri of peer.uris) if (matches(uri)) return true;
      return false;
    }
    if (peer.dnsNames.length > 0) {
      for (const name of peer.dnsNames) if (matches(name)) return true;
      return false;
    }
    return matches(peer.subject);
  };
}

const always: Test = () => true;

function requestTest(matches: (request: RequestHead) => boolean): Test {
  return (_connection, exchange) => exchange?.request !== undefined && matches(exchange.request);
}

function pathTest(matches: StringTest): Test {
  return (_connection, exchange) => {
    const path = exchange?.request?.path;
    if (path === undefined) return false;
    return matches(barePath(path));
  };
}

/** Of the path that was asked about last: many policies ask about the same one. */
let lastPath = "";
let lastBarePath = "";

export function barePath(path: string): string {
  if (path !== lastPath) {
    const end = path.search(/[?#]/);
    lastPath = path;
    lastBarePath = end < 0 ? path : path.slice(0, end);
  }
  return lastBarePath;
}

function metadataTest({ filter, keys, matches }: MetadataTest): Test {
  return (connection, exchange) =>
    matches(metadataAt(exchange ? exchange.dynamicMetadata : connection.metadata, filter, keys));
}

function portTest(matches: (port: number) => boolean): Test {
  return ({ local }) => local.kind === "ip" && matches(local.port);
}

function not(test: Test): Test {
  return (connection, exchange) => !test(connection, exchange);
}

export function anyOf(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (connection, exchange) => {
    for (const test of tests) if (test(connection, exchange)) return true;
    return false;
  };
}

function allOf(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (connection, exchange) => {
    for (const test of tests) if (!test(connection, exchange)) return false;
    return true;
  };
}
