import type { ServiceEdge, ServiceRow, VersionRow } from "@weft/control/dashboard/view";
import { memo } from "../panel/memo.ts";
import { padlockPath } from "../panel/signs.tsx";
import { formatLocation, type Location } from "../state/location.ts";
import { severityOf } from "../words/troubles.ts";
import { type EdgeLook, edgeLook, placeName } from "./edge-look.ts";
import type { Place } from "./topology-layout.ts";
import { nodeWords, TopologyNode, versionText } from "./topology-node.tsx";
import type { TopologyPicture } from "./use-layout.ts";
import { useViewBox } from "./use-view-box.ts";

export interface TopologyProps {
  readonly picture: TopologyPicture;
  readonly services: Readonly<Record<string, ServiceRow>>;
  readonly versions: ReadonlyMap<string, readonly VersionRow[]>;
  readonly edges: readonly (readonly [id: string, edge: ServiceEdge])[];
  readonly focus: string;
  readonly location: Location;
}

/** Labels are for what can be read; of more edges only those of the chosen service have them. */
const maxLabelled = 40;

export function Topology({ picture, services, versions, edges, focus, location }: TopologyProps) {
  const { frame, box, zoom, reset } = useViewBox(picture);
  const near = new Set([focus]);
  if (focus) {
    for (const [, { from, to }] of edges) {
      if (from === focus) near.add(to);
      if (to === focus) near.add(from);
    }
  }
  const sends = sendersOf(edges);
  const drawn = edges.flatMap(([id, edge]) => {
    const path = picture.paths.get(id);
    const isNear = edge.from === focus || edge.to === focus;
    const isLabelled = isNear || (!focus && edges.length <= maxLabelled);
    return path ? { id, edge, path, isLabelled, isDim: focus !== "" && !isNear, look: edgeLook(edge) } : [];
  });
  const labelled = drawn.filter(({ isLabelled, look }) => isLabelled || look.isPlaintext);
  const link = (id: string) =>
    formatLocation({ ...location, options: { ...location.options, focus: id === focus ? "" : id } });
  return (
    <div class={picture.isDense ? "graph dense" : "graph"}>
      {/* biome-ignore lint/a11y/useSemanticElements: a picture full of links is no set of fields */}
      <svg
        ref={frame}
        viewBox={`${box.x} ${box.y} ${box.width} ${box.height}`}
        style={{ aspectRatio: `${box.width} / ${box.height}` }}
        role="group"
        aria-label="Services and who calls whom; the same as a table is below"
      >
        {[...picture.boxes].map(([namespace, place]) => (
          <Box key={namespace} namespace={namespace} place={place} />
        ))}
        {drawn.map(({ id, edge, path, isDim, look }) => (
          <Edge
            key={id}
            path={path.path}
            kind={look.kind}
            width={look.width}
            title={picture.isDense ? pathName(edge) : pathTitle(edge, look)}
            isDim={isDim}
          />
        ))}
        {labelled.map(({ id, edge, isLabelled }) => (
          <EdgeLabel key={id} edge={edge} place={picture.labels.get(id)!} isLabelled={isLabelled} />
        ))}
        {[...picture.nodes].map(([id, place]) => (
          <TopologyNode
            key={id}
            id={id}
            place={place}
            severity={severityOf(services[id])}
            words={picture.isDense ? "" : nodeWords(services[id], sends.get(id) ?? 0)}
            versions={picture.isDense ? "" : versionText(versions.get(id))}
            href={link(id)}
            isFocus={id === focus}
            isDim={focus !== "" && !near.has(id)}
          />
        ))}
      </svg>
      <div class="graph-tools" role="toolbar" aria-label="Picture">
        <button type="button" onClick={() => zoom(1 / 1.3)} aria-label="Zoom in">
          +
        </button>
        <button type="button" onClick={() => zoom(1.3)} aria-label="Zoom out">
          −
        </button>
        <button type="button" onClick={reset}>
          Fit
        </button>
      </div>
    </div>
  );
}

const Box = memo(({ namespace, place }: { readonly namespace: string; readonly place: Place }) => (
  <g class={namespace === "" ? "box outside" : "box"}>
    <rect x={place.x} y={place.y} width={place.width} height={place.height} rx={10} />
    <text x={place.x + 14} y={place.y + 19}>
      {namespace || "outside the mesh"}
    </text>
  </g>
));

interface EdgeProps {
  readonly path: string;
  readonly kind: EdgeLook["kind"];
  readonly width: number;
  readonly title: string;
  readonly isDim: boolean;
}

/** Of plain values, so that of many hundreds only those are drawn again that look different. */
const Edge = memo(({ path, kind, width, title, isDim }: EdgeProps) => (
  <g class={`edge ${kind}${isDim ? " dim" : ""}`}>
    <title>{title}</title>
    <path d={path} stroke-width={width} />
  </g>
));

function pathName({ from, to }: ServiceEdge): string {
  return `${placeName(from)} → ${placeName(to)}`;
}

function pathTitle(edge: ServiceEdge, { label, trouble, isPlaintext }: EdgeLook): string {
  const security = edge.securedRate === undefined ? "" : isPlaintext ? ", plaintext" : ", mutual TLS";
  return `${pathName(edge)}: ${label}${trouble && `, ${trouble}`}${security}`;
}

interface EdgeLabelProps {
  readonly edge: ServiceEdge;
  readonly place: readonly [x: number, y: number];
  readonly isLabelled: boolean;
}

/** Above all lines. A path in plaintext has its open padlock also where there is no room for words. */
const EdgeLabel = memo(({ edge, place: [x, y], isLabelled }: EdgeLabelProps) => {
  const { kind, isPlaintext, label, trouble } = edgeLook(edge);
  const top = trouble && isLabelled ? y - 14 : y - 7;
  const left = isLabelled ? x - Math.max(label.length, trouble.length) * 3.1 - 14 : x - 6;
  return (
    <g class={`edge ${kind}`}>
      {isLabelled && (
        <rect
          class="plate"
          x={left - 3}
          y={top - 1}
          width={2 * (x - left) + 2}
          height={trouble ? 30 : 16}
          rx={4}
        />
      )}
      {isLabelled && (
        <text x={x} y={trouble ? y - 3 : y + 4} text-anchor="middle">
          {label}
          {trouble && (
            <tspan x={x} dy="14">
              {trouble}
            </tspan>
          )}
        </text>
      )}
      {edge.securedRate !== undefined && (
        <path
          class={isPlaintext ? "lock open" : "lock"}
          transform={`translate(${left} ${top}) scale(0.8)`}
          d={padlockPath(!isPlaintext)}
        />
      )}
    </g>
  );
});

function sendersOf(edges: TopologyProps["edges"]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const [, { from, requestsPerSecond = 0 }] of edges) {
    sums.set(from, (sums.get(from) ?? 0) + requestsPerSecond);
  }
  return sums;
}
