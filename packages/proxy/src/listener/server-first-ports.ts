/** More destinations than this are not remembered: the one learnt first is forgotten. */
const maxPorts = 1024;

/**
 * The destinations whose servers speak first (MySQL, SMTP, …), learnt from
 * clients that said nothing until detection gave up: the next client need not
 * wait for that again.
 */
export class ServerFirstPorts {
  readonly #ports = new Set<string>();

  has(port: string): boolean {
    return this.#ports.has(port);
  }

  add(port: string): void {
    const oldest = this.#ports.size >= maxPorts ? this.#ports.values().next() : undefined;
    if (oldest?.done === false) this.#ports.delete(oldest.value);
    this.#ports.add(port);
  }

  /** A client began with a protocol that detection knows. */
  forget(port: string): void {
    this.#ports.delete(port);
  }
}
