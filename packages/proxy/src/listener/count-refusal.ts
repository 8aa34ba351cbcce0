import type { TlsRefusal } from "../net/tls-accept.ts";
import type { ListenerStats } from "./downstream-stats.ts";

/** Counts a handshake that came to nothing. One that took too long is no error of TLS. */
export function countRefusal(stats: ListenerStats, refusal: TlsRefusal): void {
  if (refusal === "handshake-timeout") {
    stats.tlsTimeout.value += 1;
    return;
  }
  stats.sslConnectionError.value += 1;
  if (refusal === "no-certificate") stats.sslFailVerifyNoCert.value += 1;
  else if (refusal === "certificate-not-verified") stats.sslFailVerifyError.value += 1;
  else if (refusal === "name-not-accepted") stats.sslFailVerifySan.value += 1;
}
