/**
 * Virtual hosts as JSON, which is YAML too: all but the last have two routes;
 * the last has `routes`, by prefix, by exact path and by a header in turn, as
 * a large mesh's gateway has them.
 */
export function manyVirtualHosts(hosts: number, routes: number): string {
  const virtualHosts = Array.from({ length: hosts }, (_, host) => ({
    name: `host-${host}`,
    domains: [`host-${host}.example.com`],
    routes: Array.from({ length: host === hosts - 1 ? routes : 2 }, (_, i) => ({
      match: matchOf(i, i === routes - 1),
      route: { cluster: "upstream" },
    })),
  }));
  return JSON.stringify(virtualHosts);
}

function matchOf(i: number, isLast: boolean): object {
  if (isLast || i % 3 === 0) return { prefix: `/service-${i}/` };
  if (i % 3 === 1) return { path: `/service-${i}` };
  return {
    prefix: `/service-${i}/`,
    headers: [{ name: "x-version", string_match: { exact: `v${i}` } }],
  };
}
