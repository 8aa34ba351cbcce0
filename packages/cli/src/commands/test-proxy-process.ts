import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach } from "node:test";
import { freePort } from "@weft/testkit/free-port";
import { weftProgram } from "@weft/testkit/weft-program";

const directory = mkdtempSync(join(tmpdir(), "weft-workers-"));
after(() => rmSync(directory, { recursive: true, force: true }));
/** Run after each test, the last added first. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A response discovery file with one listener, answering `body`. */
function listeners(port: number, body: string): string {
  const hcm =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
  const routes = [
    { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } },
  ];
  return JSON.stringify({
    version_info: body,
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        name: "l",
        traffic_direction: "INBOUND",
        address: { socket_address: { address: "127.0.0.1", port_value: port } },
        filter_chains: [
          {
            filters: [
              {
                name: "hcm",
                typed_config: {
                  "@type": hcm,
                  stat_prefix: "s",
                  route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
                  http_filters: [
                    {
                      name: "router",
                      typed_config: {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                      },
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  });
}

/** A `weft proxy` process whose only listener comes from a file. */
export interface ProxyProcess {
  readonly child: ChildProcess;
  readonly port: number;
  /** What it has said, with what its successors have. */
  said(): string;
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** Statistics by their names. */
  stats(filter: string): Promise<ReadonlyMap<string, number>>;
  /** Replaces the listener by one that answers `body`. */
  replace(body: string): Promise<void>;
  /** Makes its file one that no further process can be started with. */
  breakBootstrap(): void;
}

export async function startProxyProcess(
  concurrency: number,
  more: readonly string[] = [],
): Promise<ProxyProcess> {
  const [port, admin] = [await freePort(), await freePort()];
  const lds = join(directory, `lds-${port}.json`);
  writeFileSync(lds, listeners(port, "first"));
  const bootstrap = join(directory, `bootstrap-${port}.json`);
  writeFileSync(
    bootstrap,
    JSON.stringify({
      node: { id: "n", cluster: "c" },
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: admin } } },
      dynamic_resources: { lds_config: { path_config_source: { path: lds } } },
    }),
  );
  const args = ["proxy", "-c", bootstrap, "--concurrency", `${concurrency}`, "--drain-time-s", "1", ...more];
  const child = spawn(weftProgram, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  while (!/serving/.test(said)) {
    if (child.exitCode !== null) throw new Error(said);
    await Promise.race([once(child.stderr, "data"), once(child, "exit")]);
  }
  const ask: ProxyProcess["admin"] = async (path, method = "GET") =>
    (await fetch(`http://127.0.0.1:${admin}${path}`, { method, headers: { connection: "close" } })).text();
  return {
    child,
    port,
    said: () => said,
    admin: ask,
    async stats(filter) {
      const text = await ask(`/stats?filter=${filter}`);
      return new Map(
        text
          .trim()
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(": ")), Number(line.slice(line.indexOf(": ") + 2))]),
      );
    },
    breakBootstrap: () => writeFileSync(bootstrap, "nothing: at all"),
    async replace(body) {
      writeFileSync(`${lds}.next`, listeners(port, body));
      renameSync(`${lds}.next`, lds);
    },
  };
}
