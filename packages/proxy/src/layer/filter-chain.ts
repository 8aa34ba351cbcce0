import type { Exchange } from "./exchange.ts";
import type { HttpFilter } from "./http-filter.ts";

/** A route's word on a filter that is not a configuration of it: take part, or do not. */
export const filterEnabled: unique symbol = Symbol("enabled");
export const filterDisabled: unique symbol = Symbol("disabled");

/** Filters sorted by what they take part in, so that a request walks lists and asks no questions. */
export interface FilterLists {
  readonly request: readonly HttpFilter[];
  /** In reverse. */
  readonly response: readonly HttpFilter[];
  readonly complete: readonly HttpFilter[];
}

type FilterConfigs = ReadonlyMap<string, unknown>;

/**
 * The filters of a connection manager, and for each route those of them that
 * take part: a route may leave filters out and ask for ones that are disabled.
 *
 * @see envoy.config.route.v3.FilterConfig
 */
export class FilterChain {
  readonly #filters: readonly HttpFilter[];
  readonly #default: FilterLists;
  /** By the configuration of the route; lists are made on a route's first request. */
  readonly #byRoute = new WeakMap<FilterConfigs, FilterLists>();

  constructor(filters: readonly HttpFilter[]) {
    this.#filters = filters;
    this.#default = sort(filters.filter((filter) => !filter.isDisabled));
  }

  for(configs: FilterConfigs | undefined): FilterLists {
    if (configs === undefined) return this.#default;
    let lists = this.#byRoute.get(configs);
    if (!lists) {
      lists = this.#choose(configs);
      this.#byRoute.set(configs, lists);
    }
    return lists;
  }

  /** How many of these lists' request filters stand before what comes after the filter of a name. */
  countThrough(name: string, { request }: FilterLists): number {
    const last = this.#filters.findIndex((filter) => filter.name === name);
    return request.filter((one) => this.#filters.indexOf(one) <= last).length;
  }

  #choose(configs: FilterConfigs): FilterLists {
    const chosen = this.#filters.filter((filter) => {
      const config = configs.get(filter.name);
      return config === undefined ? !filter.isDisabled : config !== filterDisabled;
    });
    const isDefault = this.#filters.every((filter) => chosen.includes(filter) === !filter.isDisabled);
    return isDefault ? this.#default : sort(chosen);
  }
}

function sort(filters: readonly HttpFilter[]): FilterLists {
  return {
    request: filters.filter((filter) => filter.onRequest),
    response: filters.filter((filter) => filter.onResponse).reverse(),
    complete: filters.filter((filter) => filter.onComplete),
  };
}

/** Route configuration of a filter that heeds every level: of the table, the virtual host and the route, most general first. */
export class ConfigLevels {
  readonly levels: readonly unknown[];

  constructor(levels: readonly unknown[]) {
    this.levels = levels;
  }
}

/** What a route's configuration is where `general` is overlaid by `specific`, for one filter. */
export function overlayConfig(general: unknown, specific: unknown): unknown {
  if (specific === filterEnabled && typeof general === "object") return general;
  if (general instanceof ConfigLevels && specific instanceof ConfigLevels) {
    return new ConfigLevels([...general.levels, ...specific.levels]);
  }
  return specific;
}

/** The levels a route has for a filter that heeds every one of them. */
export function routeLevelsOf<Config>(exchange: Exchange, filterName: string): readonly Config[] | undefined {
  const config = exchange.match?.route.filterConfigs?.get(filterName);
  return config instanceof ConfigLevels ? (config.levels as readonly Config[]) : undefined;
}

/** What the route says about a filter, in the filter's own terms; undefined where it says nothing. */
export function routeConfigOf<Config>(exchange: Exchange, filterName: string): Config | undefined {
  const config = exchange.match?.route.filterConfigs?.get(filterName);
  return typeof config === "symbol" ? undefined : (config as Config | undefined);
}
