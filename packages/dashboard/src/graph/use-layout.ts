import type { Table, Tables, VersionRow } from "@weft/control/dashboard/view";
import { useRef } from "preact/hooks";
import { namespaceOf } from "./edge-look.ts";
import { type EdgePath, edgePath } from "./edge-path.ts";
import { placeLabels } from "./place-labels.ts";
import { type LayoutEdge, layoutTopology, type TopologyLayout } from "./topology-layout.ts";

export interface TopologyPicture extends TopologyLayout {
  /** Too much for details: services stand closer and without their versions. */
  readonly isDense: boolean;
  readonly paths: ReadonlyMap<string, EdgePath>;
  readonly labels: ReadonlyMap<string, readonly [x: number, y: number]>;
}

/** Calls that were ever seen are remembered, so that a pause moves nothing. */
const maxSeen = 20_000;
/** Services that are shown with all there is to say. */
export const maxRoomy = 60;
const headHeight = 44;
const denseHeight = 28;
const versionHeight = 17;

export function nodeHeight(versions: number): number {
  return headHeight + (versions > 1 ? versions * versionHeight + 4 : 0);
}

interface Kept {
  readonly structure: string;
  readonly picture: TopologyPicture;
}

/** The picture of these services, the same one until a service, a version or a new call appears. */
export function useLayout(
  ids: readonly string[],
  versions: ReadonlyMap<string, readonly VersionRow[]>,
  edges: Table<Tables["edges"][string]>,
): TopologyPicture {
  const kept = useRef<Kept | undefined>(undefined);
  const here = new Set(ids);
  const { current: seen } = useRef(new Map<string, LayoutEdge>());
  for (const [id, { from, to }] of Object.entries(edges)) {
    if (seen.size < maxSeen && !seen.has(id)) seen.set(id, { from, to });
  }
  const shown = [...seen].filter(([, { from, to }]) => here.has(from) && here.has(to));
  const structure = `${ids.map((id) => `${id} ${versions.get(id)?.length ?? 0}`).join()}#${shown.length}`;
  if (kept.current?.structure !== structure) {
    const isDense = ids.length > maxRoomy;
    const nodes = ids.map((id) => ({
      id,
      namespace: namespaceOf(id),
      height: isDense ? denseHeight : nodeHeight(versions.get(id)?.length ?? 0),
    }));
    const layout = layoutTopology(
      nodes,
      shown.map(([, edge]) => edge),
      isDense,
    );
    const paths = new Map<string, EdgePath>();
    for (const [id, { from, to }] of shown) {
      const [a, b] = [layout.nodes.get(from), layout.nodes.get(to)];
      if (a && b) paths.set(id, edgePath(a, b));
    }
    kept.current = {
      structure,
      picture: { ...layout, paths, isDense, labels: placeLabels(paths, [...layout.nodes.values()]) },
    };
  }
  return kept.current.picture;
}
