/**
 * The cipher suites of every TLS listener and client of Weft that nobody gave
 * others: forward secret and authenticated ones alone. Node's own list has CBC and
 * static RSA for TLS 1.2 as well. Of TLS 1.3's it stands AES-256 first, as clients
 * ask for it.
 */
export const safeCipherSuites: string = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");
