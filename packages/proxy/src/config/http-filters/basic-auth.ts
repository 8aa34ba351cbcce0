import type { DataSource } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import {
  BasicAuthPerRouteSchema,
  BasicAuthSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/basic_auth/v3/basic_auth_pb";
import { basicAuthStats, createBasicAuthFilter, type PasswordHashes } from "../../filters/basic-auth.ts";
import { readDataSource } from "../decode-values.ts";
import { at, type Issues } from "../issues.ts";
import { httpFilterType, routeConfigType } from "./http-filter-type.ts";

export const basicAuthFilter = httpFilterType(
  BasicAuthSchema,
  (message, { name, statPrefix, path }, { issues, services }) => {
    const plan = {
      users: decodeUsers(message.users, at(path, "users"), issues),
      usernameHeader: message.forwardUsernameHeader.toLowerCase(),
      credentialsHeader: message.authenticationHeader.toLowerCase() || "authorization",
    };
    return createBasicAuthFilter(plan, basicAuthStats(services.stats, statPrefix), name);
  },
  routeConfigType(BasicAuthPerRouteSchema, (message, path, { issues }) =>
    decodeUsers(message.users, at(path, "users"), issues),
  ),
);

/** Reads lines `user:{SHA}base64`, as `htpasswd -s` writes them. What is wrong is named by its line, never shown. */
function decodeUsers(source: DataSource | undefined, path: string, issues: Issues): PasswordHashes {
  const users = new Map<string, Buffer>();
  const content = readDataSource(source, path, issues);
  if (content === undefined) return users;
  content
    .toString("utf8")
    .split("\n")
    .forEach((line, i) => {
      const text = line.trim();
      if (text === "" || text.startsWith("#")) return;
      const [, user = "", hash = ""] = /^([^:]+):\{SHA\}([A-Za-z0-9+/]{27}=)$/.exec(text) ?? [];
      if (user === "")
        issues.add(path, `line ${i + 1} is no user with a hash of the kind {SHA}`, "use htpasswd -s");
      else if (users.has(user)) issues.add(path, `line ${i + 1} has a user a second time`, "remove one");
      else users.set(user, Buffer.from(hash, "base64"));
    });
  if (users.size === 0 && issues.isEmpty) issues.add(path, "names nobody", "add a line made by htpasswd -s");
  return users;
}
