import { tmpdir } from "node:os";
import { join } from "node:path";

const uid = process.getuid?.() ?? 0;

/** Where a demo's state and logs go: for root a place nobody else can prepare, for others one of their own. */
export const defaultRunDirectory = uid === 0 ? "/run/weft-demo" : join(tmpdir(), `weft-demo-${uid}`);

/** Names the running demo. */
export const lockFile = `${defaultRunDirectory}.lock`;
