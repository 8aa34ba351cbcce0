import { constants, createHash } from "node:crypto";
import type { TlsSessionTicketKeys } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb";
import type { DownstreamTlsContext } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb";
import { durationMs, readDataSource } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";
import type { TlsMaterial } from "./tls-contexts.ts";

/** How a server chooses ciphers and lets clients resume. */
export function decodeSessions(
  tls: DownstreamTlsContext,
  path: string,
  issues: Issues,
): Partial<TlsMaterial["options"]> {
  const { sessionTicketKeysType: tickets } = tls;
  const timeoutS = Math.ceil(durationMs(tls.sessionTimeout, 0) / 1000);
  return {
    honorCipherOrder: !tls.preferClientCiphers,
    ...(tickets.case === "disableStatelessSessionResumption" && tickets.value
      ? { secureOptions: constants.SSL_OP_NO_TICKET }
      : {}),
    ...(timeoutS > 0 ? { sessionTimeout: timeoutS } : {}),
    ...(tickets.case === "sessionTicketKeys"
      ? { ticketKeys: decodeTicketKeys(tickets.value, at(path, "session_ticket_keys.keys"), issues) }
      : {}),
  };
}

/** Envoy's 80 bytes made into OpenSSL's 48: proxies with the same key resume each other's sessions. */
function decodeTicketKeys(keys: TlsSessionTicketKeys, path: string, issues: Issues): Buffer | undefined {
  if (keys.keys.length !== 1) {
    issues.add(path, "is not one key", "keys for decryption only are not implemented: give one");
  }
  const key = readDataSource(keys.keys[0], `${path}[0]`, issues);
  if (key && key.length !== 80) issues.add(`${path}[0]`, `has ${key.length} bytes, not 80`);
  return key && createHash("sha384").update(key).digest();
}
