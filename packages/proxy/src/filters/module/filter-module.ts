/** What a module that is an HTTP filter exports and is given: the interface for its author. */

/** Header fields by lower-case name, in wire order. Pseudo-headers and `host` are not among them. */
export interface Fields {
  /** All values of a name, joined by `, `; undefined where there is none. */
  get(name: string): string | undefined;
  /** The values one by one, as `set-cookie` needs it. */
  getAll(name: string): readonly string[];
  has(name: string): boolean;
  [Symbol.iterator](): Iterator<readonly [name: string, value: string]>;
}

export interface FilterRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly headers: Fields;
  /** The whole body, where the configuration has `max_request_bytes`; empty for a request without one. */
  readonly body: Uint8Array | undefined;
}

export interface FilterResponse {
  readonly status: number;
  readonly headers: Fields;
  /** What it answers. */
  readonly request: { readonly method: string; readonly path: string; readonly authority: string };
}

/** Edits in this order: removed, set, added. Names in any case; not pseudo-headers, `host` or what frames a message. */
export interface FieldEdits {
  readonly remove?: readonly string[];
  /** Replaces what is there. */
  readonly set?: Readonly<Record<string, string>>;
  /** Adds another field of the name. */
  readonly add?: Readonly<Record<string, string | readonly string[]>>;
}

/** Goes on, with these edits. */
export interface Continue {
  readonly headers?: FieldEdits;
}

/** Answers in place of the service, or of its answer. */
export interface Respond {
  readonly respond: {
    /** 200 to 599. */
    readonly status: number;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    /** At most 1 MiB. */
    readonly body?: string | Uint8Array;
  };
}

/** Nothing: goes on unchanged. */
export type Decision = Continue | Respond | undefined;

/** What is asked of a module; one function for each phase that is configured. */
export interface ModuleFilter {
  onRequest?(request: FilterRequest): Decision | Promise<Decision>;
  onResponse?(response: FilterResponse): Decision | Promise<Decision>;
}

/**
 * A module's default export: makes the filter from the configuration's `config`,
 * once each time the module is loaded. What it throws says that the
 * configuration is of no use.
 */
export type CreateFilter<Config = Readonly<Record<string, unknown>>> = (
  config: Config,
) => ModuleFilter | Promise<ModuleFilter>;
