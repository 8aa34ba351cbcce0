import type { JsonObject, ProxyConfigKind, ProxyResource } from "@weft/control/api/protocol";
import { proxyConfigKinds } from "@weft/control/api/protocol";
import { Argument, Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { type Column, formatTable, terminalWidth } from "../output/table.ts";

export function command(): Command {
  return new Command("proxy-config")
    .summary("show what a proxy is given, and where it was written")
    .description(
      "The xDS resources that the control plane gives a workload's data plane, be it Weft's sidecar, Envoy or\n" +
        "gRPC. ORIGIN is the file, line and column that made it; '-' is what exists by registration alone.\n" +
        "'secrets' are the valid certificates of the workload's identity and the root it trusts, never a key;\n" +
        "'bootstrap' is what 'weft run' started the data plane with, as JSON.",
    )
    .addArgument(new Argument("<kind>", "what to show").choices(proxyConfigKinds))
    .argument("<workload>", "its id as 'weft status' has it, or the beginning of it")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExample:\n  $ weft proxy-config routes productpage-v1\n  $ weft proxy-config clusters reviews-v1 -o json | jq '.resources[].value'",
    )
    .action(
      async (
        kind: ProxyConfigKind,
        workload: string,
        flags: { readonly state?: string; readonly output: string },
      ) => {
        const config = await apiClient(flags).proxyConfig(workload, kind);
        if (flags.output === "json") return printJson(config);
        process.stderr.write(`weft: ${config.nodeId}, ${config.dataPlane || "unknown data plane"}\n`);
        if (kind === "bootstrap") return printJson(config.resources[0]?.value);
        process.stdout.write(formatTable(columns[kind], rows[kind](config.resources), terminalWidth()));
      },
    );
}

type Row = Readonly<Record<string, string>>;

function column(title: string, key = title.toLowerCase(), canShrink = false): Column<Row> {
  return { title, value: (row) => row[key] || "-", canShrink };
}

const name = column("NAME", "name", true);
const origin = column("ORIGIN");
const columns: Readonly<Record<Exclude<ProxyConfigKind, "bootstrap">, readonly Column<Row>[]>> = {
  listeners: [name, column("ADDRESS"), column("CHAINS"), origin],
  routes: [name, column("HOST", "host", true), column("MATCH"), column("TO", "to", true), origin],
  clusters: [name, column("TYPE"), column("BALANCER"), column("TLS"), origin],
  endpoints: [column("CLUSTER", "name", true), column("ADDRESS"), column("TLS"), column("WORKLOAD")],
  secrets: [
    name,
    column("TYPE"),
    column("SERIAL", "serial", true),
    column("NOT AFTER"),
    column("ISSUED TO", "address"),
  ],
};

type Rows = (resources: readonly ProxyResource[]) => Row[];

const rows: Readonly<Record<Exclude<ProxyConfigKind, "bootstrap">, Rows>> = {
  listeners: (resources) =>
    resources.map(({ name, origin = "", value }) => {
      const chains = list(value.filter_chains).length + (value.default_filter_chain ? 1 : 0);
      const address = value.api_listener ? "in the application" : socketAddress(object(value.address));
      return { name, address, chains: String(chains || "-"), origin };
    }),
  routes: (resources) =>
    resources.flatMap(({ name, value }) =>
      list(value.virtual_hosts).flatMap((host) =>
        list(host.routes).map((route) => ({
          name,
          host: texts(host.domains)[0] ?? "",
          match: matchText(object(route.match)),
          to: actionText(route),
          origin: originOf(route),
        })),
      ),
    ),
  clusters: (resources) =>
    resources.map(({ name, origin = "", value }) => ({
      name,
      type: String(value.type ?? "STATIC"),
      balancer: String(value.lb_policy ?? "ROUND_ROBIN"),
      tls: value.transport_socket ? "yes" : value.transport_socket_matches ? "where offered" : "no",
      origin,
    })),
  secrets: (resources) =>
    resources.map(({ name, value }) => ({
      name,
      type: String(value.type ?? ""),
      serial: String(value.serial ?? value.fingerprint ?? ""),
      "not after": String(value.not_after ?? ""),
      address: String(value.address ?? ""),
    })),
  endpoints: (resources) =>
    resources.flatMap(({ name, value }) =>
      list(value.endpoints).flatMap((group) =>
        list(group.lb_endpoints).map((endpoint) => {
          const metadata = object(object(endpoint.metadata).filter_metadata);
          const isMutual = object(metadata["envoy.transport_socket_match"]).tlsMode === "istio";
          return {
            name,
            address: socketAddress(object(object(endpoint.endpoint).address)),
            tls: isMutual ? "mutual" : "no",
            workload: String(object(metadata.istio).workload ?? "").split(";")[0]!,
          };
        }),
      ),
    ),
};

function matchText(match: JsonObject): string {
  const regex = object(match.safe_regex).regex;
  const path = match.path ?? (regex !== undefined ? `~${regex}` : `${match.prefix ?? "/"}*`);
  const headers = list(match.headers).map((header) => String(header.name));
  return headers.length > 0 ? `${path} with ${headers.join(", ")}` : String(path);
}

function actionText(route: JsonObject): string {
  const { route: action, redirect, direct_response: direct } = route;
  if (redirect) return "redirect";
  if (direct) return `answer ${object(direct).status}`;
  const { cluster, weighted_clusters: weighted } = object(action);
  if (typeof cluster === "string") return cluster;
  return list(object(weighted).clusters)
    .map((one) => `${one.name} ${one.weight}`)
    .join(", ");
}

function originOf(value: JsonObject): string {
  return String(object(object(object(value.metadata).filter_metadata).istio).origin ?? "");
}

function socketAddress(address: JsonObject): string {
  const { address: host, port_value: port } = object(address.socket_address);
  return host === undefined ? "" : `${host}:${port}`;
}

function object(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
