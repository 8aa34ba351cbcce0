import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";
import { PolyglotUpstream } from "./test-polyglot-upstream.ts";
import { ask } from "./test-version-client.ts";

type Fields = Readonly<Record<string, unknown>>;

const status = (code: number): Fields => ({
  http_response_headers_match: { headers: [{ name: ":status", string_match: { exact: `${code}` } }] },
});
const plainText: Fields = {
  http_response_headers_match: { headers: [{ name: "content-type", present_match: true }] },
};

/** What is an error of an endpoint, the status it answers with three times, and how often it is ejected for it. */
const cases: Readonly<
  Record<string, readonly [matcher: Fields | undefined, answered: number, ejections: 0 | 1]>
> = {
  "by default a 500": [undefined, 500, 1],
  "by default no 404": [undefined, 404, 0],
  "a 404 that is named": [status(404), 404, 1],
  "one of several that are named": [{ or_match: { rules: [status(418), status(404)] } }, 404, 1],
  "no 500 where others are named": [{ or_match: { rules: [status(418), status(404)] } }, 500, 0],
  "a 503 that is named": [status(503), 503, 1],
  "what is not said to be none": [{ not_match: status(200) }, 404, 1],
  "what meets all conditions": [{ and_match: { rules: [status(404), plainText] } }, 404, 1],
  "not what meets some of them": [{ and_match: { rules: [status(404), { not_match: plainText }] } }, 404, 0],
  anything: [{ any_match: true }, 200, 1],
};

const optionsType = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const address = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
const nameOf = (what: string) => what.replaceAll(/\W/g, "-");

function clusterOf(what: string, port: number): Fields {
  const matcher = cases[what]![0];
  const judged = matcher ? { outlier_detection: { error_matcher: matcher } } : {};
  const options = { explicit_http_config: { http_protocol_options: {} }, ...judged };
  return {
    name: nameOf(what),
    outlier_detection: { consecutive_5xx: 3, consecutive_gateway_failure: 100, max_ejection_percent: 100 },
    typed_extension_protocol_options: {
      [optionsType]: { "@type": `type.googleapis.com/${optionsType}`, ...options },
    },
    load_assignment: {
      cluster_name: nameOf(what),
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}

function bootstrap(port: number): Fields {
  const extension = "type.googleapis.com/envoy.extensions.filters";
  const router = { "@type": `${extension}.http.router.v3.Router` };
  const routes = Object.keys(cases).map((what) => ({
    match: { prefix: `/${nameOf(what)}` },
    route: { cluster: nameOf(what) },
  }));
  const manager = {
    "@type": `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    http_filters: [{ name: "envoy.filters.http.router", typed_config: router }],
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners: [{ name: "main", address: address(0), filter_chains: [{ filters }] }],
      clusters: Object.keys(cases).map((what) => clusterOf(what, port)),
    },
  };
}

describe("which answers are errors of an endpoint, as Envoy judges them", { skip: envoyOrSkip }, () => {
  let contenders: readonly Contender[] = [];
  let upstream: PolyglotUpstream;
  before(async () => {
    upstream = await PolyglotUpstream.start();
    contenders = await startBoth(bootstrap(upstream.port));
  });
  after(async () => {
    for (const contender of contenders) await contender.close();
    upstream?.close();
  });

  for (const [what, [, answered, ejections]] of Object.entries(cases)) {
    it(`${what}`, async () => {
      for (const { name, port, admin } of contenders) {
        for (let i = 0; i < 3; i++) {
          assert.match(
            await ask(port, "1.1", `/${nameOf(what)}?status=${answered}`),
            new RegExp(`^${answered} `),
          );
        }
        const stat = `cluster.${nameOf(what)}.outlier_detection.ejections_enforced_total`;
        assert.equal((await admin(`/stats?filter=${stat}`)).trim(), `${stat}: ${ejections}`, name);
      }
    });
  }
});
