/** Virtual hosts on demand (VHDS): real Envoy and this proxy on the same bootstrap, told the same. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { until } from "@weft/testkit/until";
import { type VirtualHost, VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { type Contender, envoyOrSkip, startEnvoy, startWeft } from "./test-contenders.ts";
import { type HostClient, type Said, TestHostServer, type Told } from "./test-host-server.ts";

const source = { ads: {}, resource_api_version: "V3" };
const type = "type.googleapis.com/envoy.extensions.filters";

function hostJson(name: string, domains: readonly string[], body: string): JsonObject {
  const answer = { status: 200, body: { inline_string: body } };
  return { name, domains: [...domains], routes: [{ match: { prefix: "/" }, direct_response: answer }] };
}

const host = (name: string, domains: readonly string[], body = name): VirtualHost =>
  fromJson(VirtualHostSchema, hostJson(name, domains, body));

const routes = (...hosts: JsonObject[]): RouteConfiguration =>
  fromJson(RouteConfigurationSchema, {
    name: "rc",
    virtual_hosts: hosts,
    vhds: { config_source: source },
    response_headers_to_add: [{ header: { key: "x-table", value: "rc" } }],
  });

const firstRoutes = routes(hostJson("fixed", ["fixed.example", "*.wild.example"], "fixed"));

function bootstrap(port: number): object {
  const own = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const address = (portValue: number) => ({
    address: { socket_address: { address: "127.0.0.1", port_value: portValue } },
  });
  const filter = (name: string, proto: string) => ({
    name: `envoy.filters.http.${name}`,
    typed_config: { "@type": `${type}.http.${proto}` },
  });
  return {
    node: { id: "virtual-hosts", cluster: "test" },
    admin: address(0),
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      listeners: [
        {
          name: "main",
          ...address(0),
          filter_chains: [
            {
              filters: [
                {
                  name: "envoy.filters.network.http_connection_manager",
                  typed_config: {
                    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: "main",
                    rds: { route_config_name: "rc", config_source: source },
                    http_filters: [
                      filter("on_demand", "on_demand.v3.OnDemand"),
                      filter("router", "router.v3.Router"),
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": own },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: address(port) }] }],
          },
        },
      ],
    },
  };
}

interface One {
  readonly contender: Contender;
  readonly server: TestHostServer;
  readonly client: HostClient;
}

describe("virtual hosts on demand, as real Envoy", { skip: envoyOrSkip }, () => {
  let both: readonly One[] = [];
  before(async () => {
    both = await Promise.all([startEnvoy, startWeft].map(startOne));
  });
  after(async () => {
    for (const { contender } of both) await contender.close();
    for (const { server } of both) await server.close();
  });

  it("a request waits for its virtual host, asked for by its host as it came, in lower case", async () => {
    const names = (asked: string): Told[] => [
      {
        name: "rc/a.example",
        aliases: [asked],
        host: host("rc/a.example", ["a.example", "a.example:80"], "a"),
      },
    ];
    const { asked, answers } = await firstCall("A.Example:80", names);
    assert.deepEqual(asked, ["rc/a.example:80", "rc/a.example:80"]);
    assert.deepEqual(answers, ["200 rc a", "200 rc a"]);
    await same("a.example", "200 rc a", "its other domain is there too");
    await same("fixed.example", "200 rc fixed");
    await same("x.wild.example", "200 rc fixed", "a wildcard of the table itself is not asked about");
    assert.deepEqual(both.map(askedNames), [[], []]);
  });

  it("also one with a body", async () => {
    const told = (): Told[] => [{ name: "rc/post.example", host: host("rc/post.example", ["post.example"]) }];
    const { answers } = await firstCall("post.example", told, "x".repeat(10_000));
    assert.deepEqual(answers, ["200 rc rc/post.example", "200 rc rc/post.example"]);
  });

  it("where the server has a name but no virtual host for it, the answer is 404, and stays", async () => {
    const { answers } = await firstCall("no.example", (asked) => [{ name: asked, aliases: [asked] }]);
    assert.deepEqual(answers, ["404 none", "404 none"]);
    await same("no.example", "404 none");
    assert.deepEqual(both.map(askedNames), [[], []], "it is subscribed to");
  });

  it("one that comes later is used, whether it was asked for or not", async () => {
    await tell([
      { name: "rc/no.example", host: host("rc/no.example", ["no.example"]) },
      { name: "rc/unasked.example", host: host("rc/unasked.example", ["unasked.example"]) },
    ]);
    await same("no.example", "200 rc rc/no.example");
    await same("unasked.example", "200 rc rc/unasked.example");
    assert.deepEqual(both.map(askedNames), [[], []]);
  });

  it("one whose domains are others than was asked for does not help", async () => {
    const told = (asked: string): Told[] => [{ name: asked, host: host("m", ["other.example"]) }];
    const { answers } = await firstCall("mismatch.example", told);
    assert.deepEqual(answers, ["404 none", "404 none"]);
  });

  it("a changed one is in force at once, and a removed one is gone", async () => {
    await tell([{ name: "rc/post.example", host: host("rc/post.example", ["post.example"], "changed") }]);
    await same("post.example", "200 rc changed");
    await tell([], ["rc/post.example"]);
    const { asked } = await firstCall("post.example", (name) => [{ name, aliases: [name] }], "", true);
    assert.ok(asked.every((name) => name === undefined || name === "rc/post.example"));
  });

  it("a domain that another has is refused, and what was there stays", async () => {
    const errors = await tell([{ name: "rc/dup.example", host: host("dup", ["dup.example", "a.example"]) }]);
    for (const error of errors) assert.match(error, /a\.example/);
    assert.match(errors[1]!, /virtual host 'rc\/dup\.example': domain 'a\.example' is already claimed/);
    await same("a.example", "200 rc a");
  });

  it("they outlive a new version of the route configuration, and a wildcard for all ends the asking", async () => {
    for (const { client } of both) {
      client.tellRoutes(routes(hostJson("fixed", ["fixed.example"], "anew"), hostJson("all", ["*"], "all")));
    }
    await until("the new version is in force", async () =>
      (await call("fixed.example")).every((answer) => answer === "200 rc anew"),
    );
    await same("a.example", "200 rc a");
    await same("new.example", "200 rc all");
    assert.deepEqual(both.map(askedNames), [[], []]);
  });

  it("the configuration that is shown has them", async () => {
    const shown = await Promise.all(
      both.map(async ({ contender }) => {
        const text = await contender.admin("/config_dump?resource=dynamic_route_configs");
        const { configs } = JSON.parse(text) as {
          readonly configs: readonly { readonly route_config: JsonObject }[];
        };
        const hosts = configs[0]!.route_config.virtual_hosts as JsonObject[];
        return hosts.map(({ name }) => name).filter((name) => name !== "rc/first.example");
      }),
    );
    assert.deepEqual(shown[1], shown[0]);
    assert.ok(shown[0]!.includes("rc/a.example"));
  });

  async function startOne(start: (text: string) => Promise<Contender>): Promise<One> {
    const server = await TestHostServer.start(firstRoutes);
    const contender = start(JSON.stringify(bootstrap(server.port)));
    await until("the proxy is connected", async () => server.clients.length > 0);
    const client = server.clients[0]!;
    // Envoy does not serve before it has heard of virtual hosts; here nothing is taken that was not asked for.
    client.tell([{ name: "rc/first.example", host: host("rc/first.example", ["first.example"]) }]);
    const started = { contender: await contender, server, client };
    client.said.length = 0;
    return started;
  }

  /** Calls a host that is not there, and answers what is asked for then. */
  async function firstCall(
    of: string,
    told: (asked: string) => readonly Told[],
    body = "",
    mayBeAsked = false,
  ): Promise<{ readonly asked: readonly (string | undefined)[]; readonly answers: readonly string[] }> {
    const results = await Promise.all(
      both.map(async ({ contender, client }) => {
        client.said.length = 0;
        const answer = fetchOne(contender, of, body);
        const isKnown = () => client.said.some(({ t }) => t === "asked");
        if (!mayBeAsked) await until(`${of} is asked for`, async () => isKnown());
        const [asked] = askedNames({ client });
        if (asked !== undefined) client.tell(told(asked));
        return { asked, answer: await answer };
      }),
    );
    for (const { client } of both) client.said.length = 0;
    return { asked: results.map(({ asked }) => asked), answers: results.map(({ answer }) => answer) };
  }

  /** Resolves with what each proxy says to it. */
  function tell(resources: readonly Told[], removed: readonly string[] = []): Promise<readonly string[]> {
    return Promise.all(
      both.map(async ({ client }) => {
        client.said.length = 0;
        client.tell(resources, removed);
        const answers = () => client.said.filter((said) => said.t === "answered");
        await until("it is answered", async () => answers().length > 0);
        const [{ error }] = answers() as [Extract<Said, { t: "answered" }>];
        client.said.length = 0;
        return error;
      }),
    );
  }

  function call(of: string): Promise<readonly string[]> {
    return Promise.all(both.map(({ contender }) => fetchOne(contender, of, "")));
  }

  async function same(of: string, expected: string, why?: string): Promise<void> {
    assert.deepEqual(await call(of), [expected, expected], why);
  }
});

function askedNames({ client }: Pick<One, "client">): readonly string[] {
  return client.said.flatMap((said) => (said.t === "asked" ? said.names : []));
}

/** Status, the table that answered and the body. */
function fetchOne({ port }: Contender, of: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const method = body === "" ? "GET" : "POST";
    const call = request({ port, host: "127.0.0.1", method, headers: { host: of } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      answer.on("end", () => {
        resolve(`${answer.statusCode} ${answer.headers["x-table"] ?? "none"} ${text}`.trim());
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}
