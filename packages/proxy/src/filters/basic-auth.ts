import { createHash, timingSafeEqual } from "node:crypto";
import type { Counter } from "@weft/base/metric-registry";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** SHA-1 of the password by user name: what `htpasswd -s` writes, and all that Envoy takes. */
export type PasswordHashes = ReadonlyMap<string, Buffer>;

/** @see envoy.extensions.filters.http.basic_auth.v3.BasicAuth */
export interface BasicAuthPlan {
  readonly users: PasswordHashes;
  /** Where the name of the user is told to the upstream; "" for nowhere. */
  readonly usernameHeader: string;
  /** Where credentials are read. */
  readonly credentialsHeader: string;
}

/** Envoy's `http.<stat_prefix>.basic_auth.*` counters. */
export interface BasicAuthStats {
  readonly allowed: Counter;
  readonly denied: Counter;
}

export function basicAuthStats(stats: EnvoyStats, statPrefix: string): BasicAuthStats {
  const base = "http.{envoy_http_conn_manager_prefix}.basic_auth.";
  return {
    allowed: stats.counter(`${base}allowed`, statPrefix),
    denied: stats.counter(`${base}denied`, statPrefix),
  };
}

/** Lets requests pass that carry a known user's name and password (RFC 7617); the others are 401. */
export function createBasicAuthFilter(plan: BasicAuthPlan, stats: BasicAuthStats, name: string): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { headers } = exchange.request!;
      const users = routeConfigOf<PasswordHashes>(exchange, name) ?? plan.users;
      const verdict = judge(headers.get(plan.credentialsHeader), users);
      if ("details" in verdict) {
        stats.denied.add();
        deny(exchange, verdict);
        return "stop";
      }
      if (plan.usernameHeader !== "") headers.set(plan.usernameHeader, verdict.user);
      stats.allowed.add();
      return "continue";
    },
  };
}

interface Denial {
  readonly reason: string;
  readonly details: string;
}

const missing: Denial = { reason: "Missing username and password.", details: "no_credential_for_basic_auth" };
const scheme: Denial = {
  reason: "Expected 'Basic' authentication scheme.",
  details: "invalid_scheme_for_basic_auth",
};
const format: Denial = {
  reason: "Invalid basic credential format.",
  details: "invalid_format_for_basic_auth",
};
const wrong: Denial = {
  reason: "Invalid username/password combination.",
  details: "invalid_credential_for_basic_auth",
};

function judge(credentials: string | undefined, users: PasswordHashes): { readonly user: string } | Denial {
  if (credentials === undefined) return missing;
  if (!credentials.startsWith("Basic ")) return scheme;
  const encoded = credentials.slice("Basic ".length);
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return format;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return format;
  const user = text.slice(0, colon);
  const hash = createHash("sha1")
    .update(text.slice(colon + 1))
    .digest();
  // Compared also for users that are not known, so that an answer's time does not tell which are.
  const isRight = timingSafeEqual(users.get(user) ?? nobody, hash);
  return isRight && users.has(user) ? { user } : wrong;
}

const nobody = Buffer.alloc(20);

function deny(exchange: FilterExchange, { reason, details }: Denial): void {
  const { scheme: protocol, authority, path } = exchange.request!;
  const realm = `${protocol}://${authority}${path}`.replace(/["\\]/g, "\\$&");
  const body = Buffer.from(`User authentication failed. ${reason}`);
  const fields = ["www-authenticate", `Basic realm="${realm}"`, "content-type", "text/plain"];
  exchange.replyWith(401, body, details, 0, fields);
}
