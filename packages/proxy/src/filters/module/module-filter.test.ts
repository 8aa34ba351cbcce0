import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { until } from "@weft/testkit/until";
import { compileText } from "../../config/testing.ts";
import { startWeft } from "../side-by-side-fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-module-"));
after(() => rmSync(directory, { recursive: true }));
const example = join(import.meta.dirname, "../../../examples/tenant-filter.ts");

const address = (port: number) => `{ socket_address: { address: 127.0.0.1, port_value: ${port} } }`;

function listener(module: string, settings: string, statPrefix = "test"): string {
  return `
- "@type": type.googleapis.com/envoy.config.listener.v3.Listener
  name: main
  address: ${address(0)}
  filter_chains:
  - filters:
    - name: hcm
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
        stat_prefix: ${statPrefix}
        route_config:
          virtual_hosts:
          - name: v
            domains: ["*"]
            routes:
            - match: { prefix: /off }
              route: { cluster: upstream }
              typed_per_filter_config:
                own: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }
            - { match: { headers: [{ name: x-plan, present_match: true }], prefix: / }, direct_response: { status: 202 } }
            - { match: { prefix: / }, route: { cluster: upstream } }
        http_filters:
        - name: own
          typed_config:
            "@type": type.googleapis.com/weft.filters.http.module.v1.ModuleFilter
            module: ${module}
            ${settings}
        - name: router
          typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
`;
}

const clusters = (port: number) => `
  clusters:
  - name: upstream
    load_assignment:
      cluster_name: upstream
      endpoints: [{ lb_endpoints: [{ endpoint: { address: ${address(port)} } }] }]
`;

const asStatic = (resources: string) => resources.replace(/^.*config\.listener\.v3\.Listener\n {2}/m, "- ");
const bootstrap = (listeners: string, port: number) => `
admin: { address: ${address(0)} }
static_resources:
  listeners:${asStatic(listeners).replace(/^/gm, "  ")}${clusters(port)}`;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { port, path, method: body ? "POST" : "GET", headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

/** An upstream that says what it was told, and the proxy before it. */
async function withProxy(
  configure: (upstreamPort: number) => string,
  use: (proxy: Awaited<ReturnType<typeof startWeft>>, port: number) => Promise<void>,
): Promise<void> {
  const upstream = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end(JSON.stringify(request.headers)));
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const proxy = await startWeft(configure((upstream.address() as AddressInfo).port));
  try {
    await use(proxy, proxy.ports.get("main")!);
  } finally {
    await proxy.close();
    upstream.closeAllConnections();
    upstream.close();
  }
}

let files = 0;
function moduleFile(source: string): string {
  const file = join(directory, `m${++files}.mjs`);
  writeFileSync(file, source);
  return file;
}

const tenants = "config: { tenants: { acme: gold } }\n            phases: [REQUEST, RESPONSE]";

describe("a module as an HTTP filter", () => {
  it("edits requests and responses, or answers itself, and is counted", async () => {
    await withProxy(
      (port) => bootstrap(listener(example, tenants), port),
      async ({ admin }, port) => {
        const known = await ask(port, "/", { host: "acme.example", "x-internal": "1" });
        const told = JSON.parse(known.body) as Record<string, string>;
        assert.deepEqual([told["x-tenant"], told["x-plan"], told["x-internal"]], ["acme", "gold", undefined]);
        assert.equal(known.headers.vary, "host");
        const unknown = await ask(port, "/", { host: "other.example" });
        assert.deepEqual(
          [unknown.status, unknown.body, unknown.headers.vary],
          [404, "no tenant other\n", undefined],
          "its own answer is not shown to it again",
        );
        const off = await ask(port, "/off", { host: "other.example" });
        assert.equal(off.status, 200);
        const stats = await (await fetch(`http://${admin}/stats?filter=module`)).text();
        assert.match(stats, /^http\.test\.module\.own\.continued: 2$/m);
        assert.match(stats, /^http\.test\.module\.own\.responded: 1$/m);
      },
    );
  });

  it("may change which route is taken", async () => {
    await withProxy(
      (port) => bootstrap(listener(example, `${tenants}\n            clear_route_cache: true`), port),
      async (_proxy, port) => {
        assert.equal((await ask(port, "/", { host: "acme.example" })).status, 202);
      },
    );
  });

  it("sees bodies where it is to, and longer ones are refused", async () => {
    const module = moduleFile(`export default () => ({ onRequest: ({ body }) =>
      ({ respond: { status: 200, headers: { "set-cookie": ["a=1", "b=2"] }, body: new Uint8Array([...body, 33]) } }) });`);
    await withProxy(
      (port) => bootstrap(listener(module, "phases: [REQUEST]\n            max_request_bytes: 10"), port),
      async (_proxy, port) => {
        const answer = await ask(port, "/", {}, "hello");
        assert.deepEqual([answer.status, answer.body], [200, "hello!"]);
        assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
        assert.equal((await ask(port, "/")).body, "!");
        assert.equal((await ask(port, "/", {}, "x".repeat(11))).status, 413);
      },
    );
  });

  const hanging = `export default () => ({
    onRequest: ({ path }) => { if (path === "/hang") for (;;); },
    onResponse: ({ request }) => { if (request.path === "/back") for (;;); } });`;
  const settings = "phases: [REQUEST, RESPONSE]\n            timeout: 1s\n            failure_mode_allow: ";

  it("that hangs does not hold up other requests, and fails closed", async () => {
    const module = moduleFile(hanging);
    await withProxy(
      (port) => bootstrap(listener(module, `${settings}false`), port),
      async ({ admin }, port) => {
        assert.equal((await ask(port, "/")).status, 200);
        const hangs = ask(port, "/hang");
        assert.equal((await ask(port, "/off")).status, 200, "the event loop is free");
        assert.equal((await hangs).status, 503);
        const stats = await (await fetch(`http://${admin}/stats?filter=module`)).text();
        assert.match(stats, /^http\.test\.module\.own\.timeout: 1$/m);
        assert.match(stats, /^http\.test\.module\.own\.restarts: 1$/m);
      },
    );
  });

  for (const path of ["/hang", "/back"]) {
    it(`that hangs on ${path} lets pass what it should have decided, where so configured`, async () => {
      const module = moduleFile(hanging);
      await withProxy(
        (port) => bootstrap(listener(module, `${settings}true`), port),
        async ({ admin }, port) => {
          assert.equal((await ask(port, path)).status, 200);
          const stats = await (await fetch(`http://${admin}/stats?filter=module`)).text();
          assert.match(stats, /^http\.test\.module\.own\.failure_mode_allowed: [12]$/m);
        },
      );
    });
  }

  it("that hangs on a response has it replaced by 503", async () => {
    const module = moduleFile(hanging);
    await withProxy(
      (port) => bootstrap(listener(module, `${settings}false`), port),
      async (_proxy, port) => {
        assert.equal((await ask(port, "/back")).status, 503);
      },
    );
  });

  it("is read anew when its listener is configured anew after the file has changed", async () => {
    const answering = (text: string) =>
      `let calls = 0; export default () => ({ onRequest: () => ({ respond: { status: 200, body: "${text}" + ++calls } }) });`;
    const module = moduleFile(answering("old"));
    const lds = join(directory, "lds.yaml");
    const configure = (statPrefix: string) => {
      const text = `resources:${listener(module, "phases: [REQUEST]", statPrefix)}`;
      writeFileSync(`${lds}.new`, text);
      renameSync(`${lds}.new`, lds);
    };
    configure("first");
    await withProxy(
      (port) =>
        `admin: { address: ${address(0)} }\ndynamic_resources: { lds_config: { path_config_source: { path: ${lds} } } }\nstatic_resources:${clusters(port)}`,
      async ({ admin }, port) => {
        const inForce = (statPrefix: string) =>
          until(`the listener with ${statPrefix}`, async () => {
            const stats = await (await fetch(`http://${admin}/stats?filter=${statPrefix}.module`)).text();
            return stats.includes(`http.${statPrefix}.module`);
          });
        assert.equal((await ask(port, "/")).body, "old1");
        configure("second");
        await inForce("second");
        assert.equal((await ask(port, "/")).body, "old2", "the same module goes on");
        writeFileSync(module, answering("new"));
        configure("third");
        await inForce("third");
        assert.equal((await ask(port, "/")).body, "new1");
      },
    );
  });
});

describe("what is wrong with the configuration of a module is said with its place:", () => {
  const place = /filter_chains\[0\]\.filters\[0\]\.typed_config\.http_filters\[0\]\.typed_config/;
  const cases: readonly (readonly [module: string, settings: string, problem: RegExp])[] = [
    ["filter.ts", "phases: [REQUEST]", /\.module: "filter\.ts" is not an absolute path/],
    ["/no/such/file.ts", "phases: [REQUEST]", /\.module: cannot read \/no\/such\/file\.ts: .*ENOENT/],
    [example, "config: {}", /\.phases: is empty/],
    [example, "phases: [REQUEST, REQUEST]", /\.phases\[1\]: stands twice/],
    [example, "phases: [PHASE_UNSPECIFIED]", /\.phases\[0\]: 0 is not a phase/],
    [example, "phases: [TRAILERS]", /\.phases\[0\]: "TRAILERS" is not a Phase/],
    [example, "phases: [RESPONSE]\n            timeout: 0s", /\.timeout: is 0/],
    [example, "phases: [RESPONSE]\n            memory_limit_mb: 1", /\.memory_limit_mb: 1 is out of range/],
    [
      example,
      "phases: [RESPONSE]\n            max_pending_calls: 0",
      /\.max_pending_calls: 0 is out of range/,
    ],
    [
      example,
      "phases: [RESPONSE]\n            max_request_bytes: 1",
      /\.max_request_bytes: bodies are for phase/,
    ],
    [example, "phase: [REQUEST]", /\.phase: unknown field/],
  ];
  for (const [module, settings, problem] of cases) {
    it(problem.source, () => {
      const compile = () => compileText(bootstrap(listener(module, settings), 1));
      assert.throws(compile, place);
      assert.throws(compile, problem);
    });
  }
});
