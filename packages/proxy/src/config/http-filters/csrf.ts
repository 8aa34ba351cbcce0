import {
  type CsrfPolicy as CsrfMessage,
  CsrfPolicySchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/csrf/v3/csrf_pb";
import { type CsrfPolicy, createCsrfFilter, csrfStats } from "../../filters/csrf.ts";
import type { DecodeContext } from "../decode-context.ts";
import { decodeFraction, decodeStringMatcher } from "../decode-values.ts";
import { at } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const csrfFilter = httpFilterType(
  CsrfPolicySchema,
  (message, { name, statPrefix, path }, context) =>
    createCsrfFilter(
      decodePolicy(message, path, context),
      csrfStats(context.services.stats, statPrefix),
      context.services.random,
      name,
    ),
  routeConfigType(CsrfPolicySchema, decodePolicy),
);

function decodePolicy(message: CsrfMessage, path: string, { issues, runtime }: DecodeContext): CsrfPolicy {
  if (!message.filterEnabled) {
    issues.add(at(path, "filter_enabled"), "is missing", "say for what share of requests: 100 is all");
  }
  return {
    enabled: decodeFraction(message.filterEnabled, runtime),
    shadowed: message.shadowEnabled ? decodeFraction(message.shadowEnabled, runtime) : 0,
    additionalOrigins: message.additionalOrigins.map((matcher, i) =>
      decodeStringMatcher(matcher, `${at(path, "additional_origins")}[${i}]`, issues),
    ),
  };
}
