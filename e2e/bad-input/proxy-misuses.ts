import type { Misuse } from "./misuses.ts";

const bootstrap = (port: number) => `static_resources:
  listeners:
    - name: web
      address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: []}]}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
`;

/** What 'weft proxy' refuses. */
export const proxyMisuses: readonly Misuse[] = [
  {
    name: "a bootstrap that does not exist",
    args: () => ["proxy", "-c", "missing.yaml"],
    code: 1,
    says: /^cannot read missing\.yaml: it does not exist$/,
    next: /-c/,
  },
  {
    name: "a bootstrap with nothing in it",
    args: (scene) => ["proxy", "-c", scene.inFile("nothing.yaml", "")],
    code: 1,
    says: /^nothing\.yaml:1:1: nothing to serve/,
    next: /static_resources/,
  },
  {
    name: "a bootstrap that is no YAML",
    args: (scene) => [
      "proxy",
      "-c",
      scene.inFile("proxy.yaml", bootstrap(0).replace("listeners:", "listeners: {")),
    ],
    code: 1,
    says: /^proxy\.yaml:3:13: /,
    next: /YAML or JSON/,
  },
  {
    name: "a bootstrap that is no JSON",
    args: (scene) => ["proxy", "-c", scene.inFile("proxy.json", '{"static_resources": {"listeners": [}')],
    code: 1,
    says: /^proxy\.json:1:37: /,
    next: /YAML or JSON/,
  },
  {
    name: "a bootstrap with a field nobody knows",
    args: (scene) => [
      "proxy",
      "-c",
      scene.inFile("proxy.yaml", bootstrap(0).replace("stat_prefix", "stat_prefiks")),
    ],
    code: 1,
    says: /^proxy\.yaml:10:17: static_resources\.listeners\[0\].*stat_prefiks: unknown field .*did you mean `stat_prefix`\?\)$/,
    next: /nothing was started/,
  },
  {
    name: "a bootstrap with an extension the sidecar does not have",
    args: (scene) => [
      ...["proxy", "-c"],
      scene.inFile("proxy.yaml", bootstrap(0).replace("http.router.v3.Router", "http.nonsuch.v3.Nonsuch")),
    ],
    code: 1,
    says: /^proxy\.yaml:15:23: .*envoy\.extensions\.filters\.http\.nonsuch\.v3\.Nonsuch is not implemented/,
    next: /nothing was started/,
  },
  {
    name: "a bootstrap whose port is in use",
    args: (scene) => {
      const port = Number(scene.mesh.controlPlane.split(":")[1]);
      return ["proxy", "-c", scene.inFile("proxy.yaml", bootstrap(port))];
    },
    code: 1,
    says: /^proxy\.yaml:4:7: listener 'web': cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /ss -ltnp.*nothing was started/,
  },
  {
    name: "a number of workers that is none",
    args: (scene) => ["proxy", "-c", scene.inFile("proxy.yaml", bootstrap(0)), "--concurrency", "many"],
    code: 2,
    says: /^--concurrency many: is not a number$/,
    next: /^weft proxy --help$/,
  },
];
