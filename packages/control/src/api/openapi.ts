import { apiErrorBody } from "./protocol.ts";
import type { AnyRoute } from "./route.ts";
import { canBeAbsent, type JsonObject, type Schema, type Shape, schemaName } from "./schema.ts";

const statusTexts = {
  400: "The request is not as described here.",
  401: "Nobody known asks.",
  403: "The caller's role does not allow it, or it comes from another site's page.",
  404: "There is no such thing.",
  409: "It contradicts what there is.",
  412: "It was changed after the revision in `If-Match`.",
  413: "The request is too long.",
  422: "What the files say is wrong: `diagnostics` has the places.",
  421: "It is for a name that the control plane does not answer by.",
  429: "Too many requests, or attempts to log in, from this address.",
  500: "The control plane failed; its log says how.",
} as const;

const headers = {
  ETag: { schema: { type: "string" }, description: "The revision this shows, in quotes." },
};

const description = `Everything that Weft's command line does with a control plane, and what the dashboard asks.

On the Unix socket \`STATE/api.sock\`, whose owner is \`admin\`; and where \`weft control-plane --api-listen\` says, over TLS, for operators with a client certificate or a bearer token of an OpenID Connect issuer. Each operation names the least role it needs: \`read\`, \`write\` or \`admin\`, each including those before it.

Times are in milliseconds since the Unix epoch. Answers may gain properties in later versions; in requests what is not known is refused. What was changed by somebody else is not overwritten where \`If-Match\` has the revision of an \`ETag\` or of what was seen.`;

/**
 * The OpenAPI 3.1 document of these routes: what is served, checked and documented is one table.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */
export function openApiDocument(routes: readonly AnyRoute[]): JsonObject {
  const components = new Map<string, unknown>();
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operationOf(route, components);
  }
  const refusal = { "application/json": { schema: refer(apiErrorBody, components) } };
  return {
    openapi: "3.1.0",
    info: {
      title: "Weft control plane",
      version: "1",
      description,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [
      {
        url: "https://{host}",
        description: "Where --api-listen says",
        variables: { host: { default: "localhost:15443" } },
      },
    ],
    security: [{ clientCertificate: [] }, { bearer: [] }, { session: [] }],
    paths,
    components: {
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: Object.fromEntries(
        Object.entries(statusTexts).map(([status, text]) => [
          `Refused${status}`,
          { description: text, content: refusal },
        ]),
      ),
      securitySchemes: {
        clientCertificate: { type: "mutualTLS", description: "Of the operators' authority" },
        bearer: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Of an OpenID Connect issuer that the control plane was told of",
        },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "weft-dashboard-15014",
          description: "Of a browser that came by a one-time address; only reads",
        },
      },
    },
  };
}

function operationOf(route: AnyRoute, components: Map<string, unknown>): JsonObject {
  const { id, role, summary, params = {}, query = {}, body, answer, isStream, takesIfMatch } = route;
  const parameters = [
    ...parametersOf("path", params, components),
    ...parametersOf("query", query, components),
    ...(takesIfMatch
      ? [
          {
            name: "If-Match",
            in: "header",
            schema: { type: "string", pattern: '^(\\*|"[0-9]{1,15}")$' },
            description: 'The revision that was seen, as `"12"`: what was changed since is not overwritten.',
          },
        ]
      : []),
  ];
  const contentType = isStream ? "application/x-ndjson" : "application/json";
  return {
    operationId: id,
    summary,
    description: `Needs the role \`${role}\`.${isStream ? " One JSON value a line, until it ends." : ""}`,
    "x-weft-role": role,
    tags: [route.path.split("/")[3] ?? "debug"],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: refer(body, components) } } },
    }),
    responses: {
      200: {
        description: "Done.",
        ...("etag" in route && route.etag && { headers }),
        content: { [contentType]: { schema: refer(answer, components) } },
      },
      ...Object.fromEntries(
        refusalsOf(route).map((status) => [status, { $ref: `#/components/responses/Refused${status}` }]),
      ),
    },
  };
}

function refusalsOf(route: AnyRoute): readonly (keyof typeof statusTexts)[] {
  const changes = route.role !== "read";
  return [
    400,
    401,
    403,
    404,
    ...(changes ? ([409] as const) : []),
    ...(route.takesIfMatch ? ([412] as const) : []),
    ...(route.body ? ([413, 422] as const) : []),
    421,
    429,
    500,
  ];
}

function parametersOf(
  place: "path" | "query",
  shape: Shape,
  components: Map<string, unknown>,
): readonly JsonObject[] {
  return Object.entries(shape).map(([name, schema]) => {
    const { description: text, ...rest } = schema;
    return {
      name,
      in: place,
      required: place === "path" || !canBeAbsent(schema),
      ...(text !== undefined && { description: text }),
      schema: refer(rest as Schema<unknown>, components),
    };
  });
}

/** The schema as the document has it: what has a name once, among the components. */
function refer(schema: unknown, components: Map<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => refer(one, components));
  if (typeof schema !== "object" || schema === null) return schema;
  const name = (schema as Schema<unknown>)[schemaName];
  const inlined = (): unknown =>
    Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, refer(value, components)]));
  if (name === undefined) return inlined();
  if (!components.has(name)) {
    components.set(name, undefined);
    components.set(name, inlined());
  }
  return { $ref: `#/components/schemas/${name}` };
}
