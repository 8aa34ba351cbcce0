/** What every attack of the suite is, and how its outcome is told. */

/** How an attempt ended, as it is printed. */
export interface Outcome {
  /** How it was refused: a status, what became of the connection, or an error. */
  readonly how: string;
  /** What reached whom it must not reach. */
  readonly bytes: number;
}

export interface Attack<Target> {
  readonly area: string;
  readonly what: string;
  attempt(target: Target): Promise<Outcome>;
  /** Why real Envoy takes it: the suite fails when it no longer does. */
  readonly takenByEnvoy?: string;
}

/** One row for each attack, one column for each that was attacked. */
export class OutcomeTable {
  readonly #columns: string[] = [];
  readonly #notes = new Set<string>();
  readonly #rows = new Map<string, Map<string, Outcome>>();

  add(attack: Pick<Attack<never>, "area" | "what">, target: string, outcome: Outcome): void {
    if (!this.#columns.includes(target)) this.#columns.push(target);
    const name = `${attack.area}: ${attack.what}`;
    const row = this.#rows.get(name) ?? new Map<string, Outcome>();
    row.set(target, outcome);
    this.#rows.set(name, row);
  }

  /** What is to be said below the table, once. */
  note(text: string): void {
    this.#notes.add(text);
  }

  toString(): string {
    const cell = (outcome: Outcome | undefined) => (outcome ? `${outcome.how}, ${outcome.bytes} bytes` : "");
    const lines = [
      ["attack", ...this.#columns],
      ...[...this.#rows].map(([name, row]) => [
        name,
        ...this.#columns.map((column) => cell(row.get(column))),
      ]),
    ];
    const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
    const printed = lines.map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    );
    return [...printed, ...this.#notes].join("\n");
  }
}
