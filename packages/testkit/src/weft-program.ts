import { join } from "node:path";

/**
 * The `weft` that a person calls, as it is published: the launcher before the
 * build that `npm test` has made. Starts in a fifth of what the sources take.
 */
export const weftProgram = join(
  import.meta.dirname,
  ...["..", "..", "..", "artefacts", "published", "bin", "weft"],
);
