import type { ConfigMapSpec } from "./config-map.ts";
import { holdsTrust, trustKey } from "./config-map.ts";
import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import { maxCertificates, parseCertificates } from "./parse-certificates.ts";

/** Refuses what verifies nobody, so that what was there before stays in force. */
export function checkConfigMap(spec: ConfigMapSpec, find: Finding): void {
  if (!holdsTrust(spec) || parseCertificates(spec.data![trustKey]!)) return;
  const path = joinPath("data", trustKey);
  const hint = `PEM, with at most ${maxCertificates} certificates`;
  find.error("W1215", path, `${path} holds no certificate that can be read`, hint);
}
