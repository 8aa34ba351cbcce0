/** Says on stderr whose requests cannot be seen, and why that may be. */
export function sayUnseen(unseen: readonly string[] | undefined): void {
  if (!unseen?.length) return;
  const names = unseen.slice(0, 5).join(", ");
  const more = unseen.length > 5 ? ` and ${unseen.length - 5} more` : "";
  process.stderr.write(
    `weft: no requests are shown of ${names}${more}: without a sidecar, away, or of an older version\n`,
  );
}

/** Says on stderr what was not shown. */
export function sayLost(lost: number, limited: number): void {
  if (lost > 0) process.stderr.write(`weft: ${lost} lines were lost: they were not read fast enough\n`);
  if (limited > 0) {
    process.stderr.write(
      `weft: ${limited} requests were over the limit and are not shown; raise it with --max-rps\n`,
    );
  }
}
