import { metadataAt } from "../layer/dynamic-metadata.ts";
import { isLocalSource, type SocketAddress } from "../net/socket-address.ts";
import type { MatchInput } from "./match-tree.ts";

/** A header of the request, several of one name joined by commas; pseudo-headers by their HTTP/2 names. */
export function requestHeaderInput(name: string): MatchInput {
  const key = name.toLowerCase();
  switch (key) {
    case ":path":
      return (_connection, exchange) => exchange?.request?.path;
    case ":method":
      return (_connection, exchange) => exchange?.request?.method;
    case ":authority":
    case "host":
      return (_connection, exchange) => exchange?.request?.authority;
    case ":scheme":
      return (_connection, exchange) => exchange?.request?.scheme;
    default:
      return (_connection, exchange) => exchange?.request?.headers.getAll(key);
  }
}

export const destinationIpInput: MatchInput = ({ local }) => hostOf(local);
export const destinationPortInput: MatchInput = ({ local }) => portOf(local);
export const sourceIpInput: MatchInput = ({ remote }, exchange) => hostOf(exchange?.clientAddress ?? remote);
export const sourcePortInput: MatchInput = ({ remote }, exchange) =>
  portOf(exchange?.clientAddress ?? remote);
export const directSourceIpInput: MatchInput = ({ directRemote, remote }) => hostOf(directRemote ?? remote);

export const serverNameInput: MatchInput = ({ requestedServerName }) => filled(requestedServerName);
export const transportProtocolInput: MatchInput = ({ transportProtocol }) => transportProtocol;
/** Each in quotes, as Envoy writes them: `'h2','http/1.1'`. */
export const applicationProtocolInput: MatchInput = ({ applicationProtocols = [] }) =>
  filled(applicationProtocols.map((protocol) => `'${protocol}'`).join(","));
/** `local` where the client is on this machine. */
export const sourceTypeInput: MatchInput = ({ local, remote }) =>
  isLocalSource({ local, remote }) ? "local" : undefined;

export const uriSanInput: MatchInput = ({ peer }) => filled(peer?.uris.join(","));
export const dnsSanInput: MatchInput = ({ peer }) => filled(peer?.dnsNames.join(","));
export const subjectInput: MatchInput = ({ peer }) => filled(peer?.subject);

/** Text in dynamic metadata. */
export function metadataInput(filter: string, keys: readonly string[]): MatchInput {
  return (connection, exchange) => {
    const value = metadataAt(exchange ? exchange.dynamicMetadata : connection.metadata, filter, keys);
    return typeof value === "string" ? value : undefined;
  };
}

function hostOf(address: SocketAddress): string | undefined {
  return address.kind === "ip" ? address.host : undefined;
}

function portOf(address: SocketAddress): string | undefined {
  return address.kind === "ip" ? String(address.port) : undefined;
}

function filled(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
