import type { AuthorizationProvider } from "./authorization-provider.ts";
import {
  type ForwardAction,
  type HeaderEdits,
  type HttpAction,
  type HttpDestination,
  type HttpRoute,
  isEdited,
  type Mirror,
} from "./routing.ts";

/** A route for a share of the requests that one matches. */
export interface RouteShare {
  readonly route: HttpRoute;
  /** Of a million that match those that are left: it and the shares before it have so many. Undefined: all. */
  readonly upTo: number | undefined;
}

const million = 1_000_000;

/**
 * The shares of a route, which is one unless a destination has filters of its
 * own: then each destination is a route of its own, to one destination.
 *
 * Proxies draw one number for all routes, for the choice among weighted
 * clusters and for copies. So there is no weighted choice left within a share,
 * which would hang together with the choice of the share, and where a part of
 * a share is copied, that part is a share of its own. Weights are kept to the
 * millionth; a destination that has any gets at least one.
 */
export function sharesOf(route: HttpRoute): readonly RouteShare[] {
  const { action } = route;
  if (action.kind !== "forward" || !action.destinations.some(({ own }) => own)) {
    return [{ route, upTo: undefined }];
  }
  const used = action.destinations.filter(({ weight }) => weight > 0);
  const total = used.reduce((sum, { weight }) => sum + weight, 0);
  const shares: { route: HttpRoute; upTo: number }[] = [];
  let [low, before] = [0, 0];
  used.forEach((destination, i) => {
    before += destination.weight;
    const left = used.length - 1 - i;
    const high = Math.min(Math.max(Math.round((before / total) * million), low + 1), million - left);
    shares.push(...partsOf(route, action, destination, low, high));
    low = high;
  });
  return shares.map(({ route: own, upTo }) => ({ route: own, upTo: upTo === million ? undefined : upTo }));
}

/** How many routes a route is to proxies. */
export function countShares(routes: readonly { readonly route: HttpRoute }[]): number {
  return routes.reduce((sum, { route }) => sum + sharesOf(route).length, 0);
}

/** Where an action sends copies, of all requests or of those for one destination. */
export function copiesOf(action: HttpAction): Mirror[] {
  if (action.kind !== "forward") return [];
  return [...action.mirrors, ...action.destinations.flatMap(({ own }) => own?.mirrors ?? [])];
}

/** Who is asked about requests of a route, or of a destination of it. */
export function authorizersOf({ action, authorizers = [] }: HttpRoute): readonly AuthorizationProvider[] {
  if (action.kind !== "forward") return authorizers;
  const own = action.destinations.flatMap((destination) => destination.own?.authorizers ?? []);
  return own.length > 0 ? [...authorizers, ...own] : authorizers;
}

/** Hosts that are called because of a route, but not by the application: copies go there, or they are asked. */
export function hostsAside(route: HttpRoute): string[] {
  return [
    ...copiesOf(route.action).map(({ destination }) => destination.host),
    ...authorizersOf(route).map(({ host }) => host),
  ];
}

/** Where a route leads, and whom it needs besides. */
export function hostsLedTo(route: HttpRoute): string[] {
  const { action } = route;
  const destinations = action.kind === "forward" ? action.destinations.map(({ host }) => host) : [];
  return [...destinations, ...hostsAside(route)];
}

/** The share of one destination, between two millionths, in as many parts as copies ask for. */
function partsOf(
  route: HttpRoute,
  action: ForwardAction,
  destination: HttpDestination,
  low: number,
  high: number,
): { route: HttpRoute; upTo: number }[] {
  const { own } = destination;
  const common = {
    ...route,
    headers: headersFor(route.headers, destination),
    cors: own?.cors ?? route.cors,
    ...(own?.authorizers.length ? { authorizers: [...(route.authorizers ?? []), ...own.authorizers] } : {}),
  };
  if (own?.redirect) return [{ route: { ...common, action: own.redirect }, upTo: high }];
  const copies = [...action.mirrors, ...(own?.mirrors ?? [])].map((mirror) => ({
    mirror,
    upTo: low + Math.round(((high - low) * mirror.percent) / 100),
  }));
  const ends = new Set([...copies.map(({ upTo }) => upTo).filter((upTo) => upTo > low), high]);
  return [...ends]
    .sort((a, b) => a - b)
    .map((upTo) => ({
      route: {
        ...common,
        action: {
          ...action,
          destinations: [sole(destination)],
          rewriteAuthority: own?.rewriteAuthority ?? action.rewriteAuthority,
          pathEdit: own?.pathEdit ?? action.pathEdit,
          mirrors: copies
            .filter((copy) => copy.upTo >= upTo)
            .map(({ mirror }) => ({ ...mirror, percent: 100 })),
        },
      },
      upTo,
    }));
}

const unedited: HeaderEdits = {
  request: { set: [], add: [], remove: [] },
  response: { set: [], add: [], remove: [] },
};

/** A destination that has edits has those of its route too. */
function headersFor(ofRoute: HeaderEdits, { headers }: HttpDestination): HeaderEdits {
  return isEdited(headers) ? headers : ofRoute;
}

function sole({ own: _, ...destination }: HttpDestination): HttpDestination {
  return { ...destination, headers: unedited };
}
