/**
 * Finds a virtual host by domain as Envoy does: an exact domain first, then the
 * longest `*suffix`, then the longest `prefix*`, then `*`. Case does not matter.
 *
 * A lookup costs a few map reads however many domains there are, and nothing is
 * allocated for an exact or a catch-all match.
 */
export class DomainIndex<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes = new WildcardSet<T>();
  readonly #prefixes = new WildcardSet<T>();
  #any: T | undefined;

  /** False, and nothing added, when the domain is already taken. */
  add(domain: string, value: T): boolean {
    const name = domain.toLowerCase();
    if (name === "*") {
      if (this.#any !== undefined) return false;
      this.#any = value;
      return true;
    }
    if (name.startsWith("*")) return this.#suffixes.add(name.slice(1), value);
    if (name.endsWith("*")) return this.#prefixes.add(name.slice(0, -1), value);
    if (this.#exact.has(name)) return false;
    this.#exact.set(name, value);
    return true;
  }

  /** Takes a domain back from who has it; where another has it, nothing is done. */
  delete(domain: string, value: T): void {
    const name = domain.toLowerCase();
    if (name === "*") {
      if (this.#any === value) this.#any = undefined;
    } else if (name.startsWith("*")) this.#suffixes.delete(name.slice(1), value);
    else if (name.endsWith("*")) this.#prefixes.delete(name.slice(0, -1), value);
    else if (this.#exact.get(name) === value) this.#exact.delete(name);
  }

  /** What has a domain itself, whatever wildcards there are. */
  findExact(authority: string): T | undefined {
    return this.#exact.get(authority.toLowerCase());
  }

  find(authority: string): T | undefined {
    if (this.#exact.size === 0 && this.#suffixes.isEmpty && this.#prefixes.isEmpty) return this.#any;
    const host = authority.toLowerCase();
    const exact = this.#exact.get(host);
    if (exact !== undefined) return exact;
    return this.#suffixes.findEnd(host) ?? this.#prefixes.findStart(host) ?? this.#any;
  }
}

/** Wildcards of one side, grouped by the length of their literal part. The `*` stands for one character or more. */
class WildcardSet<T> {
  /** Longest first. */
  #lengths: number[] = [];
  readonly #byText = new Map<string, T>();

  get isEmpty(): boolean {
    return this.#lengths.length === 0;
  }

  add(text: string, value: T): boolean {
    if (this.#byText.has(text)) return false;
    this.#byText.set(text, value);
    if (!this.#lengths.includes(text.length)) {
      this.#lengths = [...this.#lengths, text.length].sort((a, b) => b - a);
    }
    return true;
  }

  delete(text: string, value: T): void {
    if (this.#byText.get(text) !== value) return;
    this.#byText.delete(text);
    for (const other of this.#byText.keys()) if (other.length === text.length) return;
    this.#lengths = this.#lengths.filter((length) => length !== text.length);
  }

  findEnd(host: string): T | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const value = this.#byText.get(host.slice(host.length - length));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  findStart(host: string): T | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const value = this.#byText.get(host.slice(0, length));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}
