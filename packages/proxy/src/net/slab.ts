/** Bytes of one output slab. */
export const slabSizeBytes = 65536;

const maxSpareSlabs = 16;
const spare: Slab[] = [];

/**
 * Output memory that all connections share: heads and bodies are written one
 * after the other into the current slab, so a response costs no allocation. A
 * slab whose regions have all reached the kernel is used again.
 */
export class Slab {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(slabSizeBytes);
  offset = 0;
  /** Regions not yet written. */
  pending = 0;

  release(): void {
    this.pending -= 1;
    if (this.pending === 0 && this !== current) recycle(this);
  }
}

let current = new Slab();

/** Replaces the current slab when fewer than `sizeBytes` (at most a slab) are left in it. */
export function slabFor(sizeBytes: number): Slab {
  if (slabSizeBytes - current.offset >= sizeBytes) return current;
  const full = current;
  current = spare.pop() ?? new Slab();
  if (full.pending === 0) recycle(full);
  return current;
}

function recycle(slab: Slab): void {
  slab.offset = 0;
  if (spare.length < maxSpareSlabs) spare.push(slab);
}

/** A stretch of slab memory waiting to be written by one connection. */
export interface Region {
  readonly slab: Slab;
  readonly start: number;
  end: number;
}
