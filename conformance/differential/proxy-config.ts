import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { serverTransportSocket } from "./identities.ts";

type Fields = Record<string, unknown>;

/** What a configuration file of the suite says: connection managers and clusters, without the frame around them. */
interface ConfigFile {
  readonly listeners: Readonly<Record<string, Fields>>;
  readonly clusters: Readonly<Record<string, Fields>>;
}

/** What a bootstrap needs to know of the one who runs it. */
export interface Surroundings {
  readonly adminPath: string;
  readonly logPath: string;
  readonly upstreamPort: number;
  readonly http2UpstreamPort: number;
}

/** On this listener the suite marks in the log where a case ends. */
export const markListener = "suite-mark";

const extensions = "type.googleapis.com/envoy.extensions";
const managerType = `${extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager`;

/** Beside the fields every case is about: what went wrong by either proxy's own account. */
const logFormat =
  "%REQ(X-CASE)% | %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% | %REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% | route %ROUTE_NAME% cluster %UPSTREAM_CLUSTER% attempts %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n";

/** Builds the bootstrap both proxies run, from `configs/<name>.yaml`. */
export function buildBootstrap(name: string, around: Surroundings): string {
  const text = readFileSync(join(import.meta.dirname, "configs", `${name}.yaml`), "utf8")
    .replaceAll("$HTTP2_UPSTREAM", `${around.http2UpstreamPort}`)
    .replaceAll("$UPSTREAM", `${around.upstreamPort}`);
  const { listeners, clusters } = parse(text, { merge: true }) as ConfigFile;
  const marked: ConfigFile["listeners"] = { ...listeners, [markListener]: markManager };
  return JSON.stringify({
    node: { id: "differential", cluster: "differential" },
    admin: { address: { pipe: { path: around.adminPath } } },
    static_resources: {
      listeners: Object.entries(marked).map(([listener, manager]) =>
        buildListener(listener, manager, around.logPath),
      ),
      clusters: Object.entries(clusters).map(([cluster, fields]) =>
        buildCluster(cluster, fields, around.upstreamPort),
      ),
    },
  });
}

const markManager: Fields = {
  virtual_hosts: [
    { name: "mark", domains: ["*"], routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] },
  ],
};

/** A listener with one connection manager. `virtual_hosts` may stand outside `route_config`; `tls` is `mutual` or `server`. */
function buildListener(name: string, manager: Fields, logPath: string): Fields {
  const {
    virtual_hosts,
    http_filters = [],
    route_config = {},
    log_format,
    log_filter,
    tls,
    ...rest
  } = manager;
  const log = {
    name: "envoy.access_loggers.file",
    ...(log_filter ? { filter: log_filter } : {}),
    typed_config: {
      "@type": `${extensions}.access_loggers.file.v3.FileAccessLog`,
      path: logPath,
      ...((log_format as Fields) ?? { log_format: { text_format_source: { inline_string: logFormat } } }),
    },
  };
  const router = {
    name: "envoy.filters.http.router",
    typed_config: { "@type": `${extensions}.filters.http.router.v3.Router` },
  };
  const hasRouter = (http_filters as Fields[]).some(({ name }) => name === router.name);
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": managerType,
              stat_prefix: name,
              delayed_close_timeout: "0.010s",
              normalize_path: false,
              access_log: [log],
              route_config: { name, virtual_hosts, ...(route_config as Fields) },
              http_filters: hasRouter ? http_filters : [...(http_filters as Fields[]), router],
              ...rest,
            },
          },
        ],
        ...(tls === undefined ? {} : { transport_socket: serverTransportSocket(tls === "mutual") }),
      },
    ],
  };
}

/** A static cluster of one endpoint, the recording upstream unless `port` says otherwise. */
function buildCluster(name: string, fields: Fields, upstreamPort: number): Fields {
  const { ports = [upstreamPort], ...rest } = fields;
  const endpoints = (ports as number[]).map((port) => ({
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  }));
  return {
    name,
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
    ...rest,
  };
}
