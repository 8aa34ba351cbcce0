import { isWildcardByDefault, typeUrl } from "../type-url.ts";
import type { ResourceUpdate } from "./ads-handler.ts";

export interface SubscriptionChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly isWildcardChanged: boolean;
}

/** What a client asks for of one type, and what of it has been accepted. Outlives streams. */
export class Subscription {
  readonly typeUrl: string;
  /** True once this stream has carried a request of it. */
  isOpen = false;
  #hasNamed = false;
  /** Route configurations whose virtual hosts are asked for. */
  #scopes: ReadonlySet<string> = new Set();
  isWildcard = false;
  /** With a wildcard: those asked for by name beside it. */
  names: ReadonlySet<string> = new Set();
  /** Version by name of what was accepted. */
  readonly held = new Map<string, string>();
  /** Of the newest response on this stream. */
  nonce = "";
  /** Of the newest accepted response: state of the world repeats it. */
  acceptedVersion = "";

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  set(names: "*" | Iterable<string>, also: Iterable<string> = []): SubscriptionChange {
    const isWildcard = names === "*";
    const next = new Set(isWildcard ? also : names);
    const added = [...next].filter((name) => !this.names.has(name));
    const removed = [...this.names].filter((name) => !next.has(name));
    const isWildcardChanged = this.isWildcard !== isWildcard;
    this.names = next;
    if (this.typeUrl === typeUrl.virtualHost) this.#scopes = new Set(Array.from(next, scopeOf));
    // From here on silence would be read as it was before: a wildcard has to be said.
    if (next.size > 0 || (isWildcardChanged && !isWildcard)) this.#hasNamed = true;
    this.isWildcard = isWildcard;
    for (const name of [...this.held.keys()]) if (!this.covers(name)) this.held.delete(name);
    return { added, removed, isWildcardChanged };
  }

  /** True when there is something to ask for: a first request without names would ask for everything. */
  get isWanted(): boolean {
    return this.isWildcard || this.names.size > 0;
  }

  /** The names as a request says them: silence is everything, where it is, until names were given. */
  get wireNames(): Iterable<string> {
    if (!this.isWildcard) return this.names;
    if (this.names.size > 0) return [...this.names, "*"];
    return this.#hasNamed || !isWildcardByDefault(this.typeUrl) ? ["*"] : [];
  }

  /** A new stream knows nothing of the last one. */
  reopen(): void {
    this.isOpen = false;
    this.nonce = "";
    this.#hasNamed = this.names.size > 0;
  }

  /**
   * True when a resource of this name was asked for: a response on its way may
   * still carry others. A virtual host may come under another name of the route
   * configuration it was asked for in, and without having been asked for.
   */
  covers(name: string): boolean {
    if (this.isWildcard || this.names.has(name)) return true;
    return this.typeUrl === typeUrl.virtualHost && this.#scopes.has(scopeOf(name));
  }

  accept(update: ResourceUpdate): void {
    for (const { name, version } of update.added) this.held.set(name, version);
    for (const name of update.removed) this.held.delete(name);
    this.acceptedVersion = update.version;
  }
}

/** `<route configuration>/<host>`: the part before the last slash. */
function scopeOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}
