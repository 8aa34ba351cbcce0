export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
  /** May be cut with `…` where the terminal is too narrow; the rest never is. */
  readonly canShrink?: boolean;
}

const gap = "  ";
const narrowest = 6;

/**
 * Rows as aligned columns under upper-case titles. With `width`, columns that
 * may shrink do so until a line fits; data is otherwise never cut.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width?: number,
): string {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))));
  const widths = columns.map((column, i) =>
    Math.max(displayWidth(column.title), ...cells.map((line) => displayWidth(line[i]!))),
  );
  if (width !== undefined) shrink(columns, widths, width);
  const render = (line: readonly string[]): string =>
    line
      .map((cell, i) => fit(cell, widths[i]!, columns[i]!.align ?? "left"))
      .join(gap)
      .trimEnd();
  return `${[columns.map((column) => column.title), ...cells].map(render).join("\n")}\n`;
}

/** The width to fit a table to: the terminal's, or none where stdout is a pipe or a file. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Takes from the widest column that may shrink, until the line fits or all are at their narrowest. */
function shrink<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  let excess = widths.reduce((sum, w) => sum + w, 0) + gap.length * (widths.length - 1) - width;
  while (excess > 0) {
    let widest = -1;
    for (const [i, column] of columns.entries()) {
      const floor = Math.max(narrowest, displayWidth(column.title));
      if (column.canShrink && widths[i]! > floor && (widest < 0 || widths[i]! > widths[widest]!)) widest = i;
    }
    if (widest < 0) return;
    widths[widest]! -= 1;
    excess -= 1;
  }
}

function fit(text: string, width: number, align: "left" | "right"): string {
  const length = displayWidth(text);
  if (length > width) return `${[...text].slice(0, Math.max(0, width - 1)).join("")}…`;
  const padding = " ".repeat(width - length);
  return align === "right" ? padding + text : text + padding;
}

/** Control characters of foreign data must not reach the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** Columns a text takes: East Asian wide characters count two. */
function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += isWide(character.codePointAt(0)!) ? 2 : 1;
  return width;
}

function isWide(code: number): boolean {
  return (
    code >= 0x1100 &&
    (code <= 0x115f ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1f64f) ||
      (code >= 0x20000 && code <= 0x3fffd))
  );
}
