import type { Analyzer } from "./analyzer.ts";
import { tlsOf } from "./tls-conflicts.ts";

/** IST0128, IST0129: TLS without a look at the server's certificate protects against nobody. */
export const findUnverifiedServers: Analyzer = ({ resources }, diagnostics) => {
  for (const { spec, origins } of resources.DestinationRule) {
    for (const { tls, path, port } of tlsOf(spec)) {
      if (!tls.insecureSkipVerify) continue;
      const of = port === undefined ? spec.host : `${spec.host}, port ${port},`;
      diagnostics.warning(
        port === undefined ? "IST0128" : "IST0129",
        origins.at(`${path}.insecureSkipVerify`),
        `the certificate of ${of} is not verified: anyone can stand between`,
        "remove insecureSkipVerify, and name the authority in caCertificates where it is not a public one",
      );
    }
  }
};
