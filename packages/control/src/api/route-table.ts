import { openApiDocument } from "./openapi.ts";
import { ApiRefusal } from "./refusal.ts";
import { type AnyRoute, route } from "./route.ts";
import { authorityRoutes } from "./routes/authority-routes.ts";
import { configRoutes } from "./routes/config-routes.ts";
import { dashboardRoutes } from "./routes/dashboard-routes.ts";
import { meshRoutes } from "./routes/mesh-routes.ts";
import { requestRoutes } from "./routes/request-routes.ts";
import { rolloutRoutes } from "./routes/rollout-routes.ts";
import { signalRoutes } from "./routes/signal-routes.ts";
import { anyObject, type JsonObject } from "./schema.ts";

let document: JsonObject | undefined;

const openApiRoute = route({
  id: "openApi",
  method: "GET",
  path: "/api/v1/openapi.json",
  role: "read",
  summary: "This document",
  answer: anyObject(),
  handle() {
    document ??= openApiDocument(apiRoutes);
    return document;
  },
});

/** Every operation of the API: what is not in here is not served, and the document has all of it. */
export const apiRoutes: readonly AnyRoute[] = [
  ...configRoutes,
  ...meshRoutes,
  ...signalRoutes,
  ...requestRoutes,
  ...rolloutRoutes,
  ...authorityRoutes,
  ...dashboardRoutes,
  openApiRoute,
] as readonly AnyRoute[];

interface Matcher {
  readonly route: AnyRoute;
  readonly pattern: RegExp;
}

const matchers: readonly Matcher[] = apiRoutes.map((one) => ({ route: one, pattern: patternOf(one.path) }));

/** The route of a method and path, with the parts of the path by name, not looked at yet; refuses with 404 or 405. */
export function findRoute(
  method: string,
  path: string,
): { readonly route: AnyRoute; readonly params: Readonly<Record<string, string>> } {
  const matching = matchers.flatMap(({ route: one, pattern }) => {
    const match = pattern.exec(path);
    return match ? [{ route: one, match }] : [];
  });
  const found = matching.find(({ route: one }) => one.method === method);
  if (found) return { route: found.route, params: decodeAll(found.match.groups ?? {}) };
  if (matching.length > 0) {
    const methods = matching.map(({ route: one }) => one.method).join(", ");
    throw new ApiRefusal(405, { error: `${method} is not for ${path}, but ${methods}` }, { allow: methods });
  }
  throw new ApiRefusal(404, {
    error: `the API has no ${path}`,
    hint: "/api/v1/openapi.json lists what it has; client and control plane may differ in version",
  });
}

/** `/resources/{kind}` → `^/resources/(?<kind>[^/]+)$` */
function patternOf(path: string): RegExp {
  const escaped = path.replace(/\./g, "\\.");
  return new RegExp(`^${escaped.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
}

function decodeAll(groups: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(groups).map(([name, part]) => [name, decode(part)]));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ApiRefusal(400, { error: `"${part}" is not a valid part of a path` });
  }
}
