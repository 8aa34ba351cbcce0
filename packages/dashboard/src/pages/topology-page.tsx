import type { ServiceEdge } from "@weft/control/dashboard/view";
import { useMemo } from "preact/hooks";
import { namespaceOf, placeName } from "../graph/edge-look.ts";
import { Topology } from "../graph/topology.tsx";
import { maxRoomy, useLayout } from "../graph/use-layout.ts";
import { Empty, Panel } from "../panel/panel.tsx";
import { formatLocation, serviceLink } from "../state/location.ts";
import { edgesQuery } from "../words/promql.ts";
import { EdgeTable } from "./edge-table.tsx";
import type { PageProps } from "./page.ts";

/** Who calls whom, live: services with their versions, in boxes by namespace. */
export function TopologyPage({ view, location }: PageProps) {
  const { services, edges, versions } = view.tables;
  const { namespace = "", focus = "" } = location.options;
  const versionsOf = useMemo(
    () => Map.groupBy(Object.values(versions), (row) => `${row.namespace}/${row.service}`),
    [versions],
  );
  const shownEdges = useMemo(
    () =>
      Object.entries(edges).filter(
        ([, { from, to }]) =>
          namespace === "" || namespaceOf(from) === namespace || namespaceOf(to) === namespace,
      ),
    [edges, namespace],
  );
  const all = useMemo(() => placesOf(services, shownEdges, namespace), [services, shownEdges, namespace]);
  const ids = useMemo(
    () => (focus && all.length > maxRoomy ? around(focus, shownEdges) : all),
    [all, focus, shownEdges],
  );
  const picture = useLayout(ids, versionsOf, edges);
  const namespaces = [...new Set(Object.values(services).map((service) => service.namespace))]
    .filter(Boolean)
    .sort();
  const go = (options: Record<string, string>) => {
    window.location.hash = formatLocation({ ...location, options: { ...location.options, ...options } });
  };
  return (
    <>
      <div class="filters">
        <label>
          Namespace{" "}
          <select
            value={namespace}
            onChange={(event) => go({ namespace: event.currentTarget.value, focus: "" })}
          >
            <option value="">all</option>
            {namespaces.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {focus && (
          <span class="chip">
            {placeName(focus)}
            {services[focus] && <a href={serviceLink(focus)}>open</a>}
            <button type="button" onClick={() => go({ focus: "" })} aria-label="Show all again">
              ×
            </button>
          </span>
        )}
      </div>
      <Panel
        title="Topology"
        note={`${ids.length} places, ${shownEdges.length} paths in use`}
        cli="weft edges"
        promql={edgesQuery}
      >
        {ids.length === 0 ? (
          <Empty
            why="No workload has registered, so nobody calls anybody."
            todo={
              <>
                Start the demo with <code>weft demo</code>, or a program of your own with{" "}
                <code>weft run</code>.
              </>
            }
          />
        ) : (
          <>
            <Topology
              picture={picture}
              services={services}
              versions={versionsOf}
              edges={shownEdges}
              focus={focus}
              location={location}
            />
            <Legend />
          </>
        )}
      </Panel>
      <Panel title="Paths" note="the same as a table" cli="weft edges --by version" promql={edgesQuery}>
        <EdgeTable
          edges={shownEdges.filter(([, edge]) => !focus || edge.from === focus || edge.to === focus)}
        />
      </Panel>
    </>
  );
}

/** A service, its callers and what it calls: of a large mesh that is what can be read. */
function around(focus: string, edges: readonly (readonly [string, ServiceEdge])[]): readonly string[] {
  const ends = edges.flatMap(([, { from, to }]) => (from === focus || to === focus ? [from, to] : []));
  return [...new Set([focus, ...ends])].sort();
}

function placesOf(
  services: Readonly<Record<string, { readonly namespace: string; readonly isExternal: boolean }>>,
  edges: readonly (readonly [string, ServiceEdge])[],
  namespace: string,
): readonly string[] {
  const own = Object.entries(services)
    .filter(([, service]) => !service.isExternal && (namespace === "" || service.namespace === namespace))
    .map(([id]) => id);
  return [...new Set([...own, ...edges.flatMap(([, { from, to }]) => [from, to])])].sort();
}

function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {(["good", "warn", "bad", "denied", "tcp"] as const).map((kind) => (
        <li key={kind}>
          <svg viewBox="0 0 36 10" aria-hidden="true" class={`edge ${kind}`}>
            <path d="M1 5H35" stroke-width="2.5" />
          </svg>
          {{ good: "calls", warn: "some fail", bad: "many fail", denied: "refused", tcp: "TCP" }[kind]}
        </li>
      ))}
      <li class="note">Ctrl and wheel zoom, dragging moves; a service narrows it to its own paths</li>
    </ul>
  );
}
