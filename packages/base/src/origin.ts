/**
 * Where a configuration value was written, so that every answer the mesh gives
 * can name its source. Lines and columns count from 1.
 */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Dotted path inside the document, e.g. `spec.http[0].route[1].weight`. */
  readonly path?: string;
}

/** `file:line:column`, the form editors and terminals make clickable. */
export function formatOrigin(origin: Origin): string {
  return `${origin.file}:${origin.line}:${origin.column}`;
}
