/** Observations in buckets that grow with them: `2^schema` for each doubling. */
export interface NativeCounts {
  readonly schema: number;
  /** Observations of zero, or so near that no bucket is for them. */
  readonly zeroCount: number;
  /** By the bucket's number; bucket `i` ends at `2^(i / 2^schema)`. */
  readonly counts: ReadonlyMap<number, number>;
}

export const zeroThreshold = 2 ** -128;
const finestSchema = 3;
const coarsestSchema = -4;
const maxBuckets = 160;

/**
 * A sparse histogram of what is not negative, as Prometheus' native ones. It has
 * 160 buckets at most: where more are needed, all become twice as wide.
 *
 * @see https://prometheus.io/docs/specs/native_histograms/
 */
export class NativeBuckets implements NativeCounts {
  schema = finestSchema;
  zeroCount = 0;
  counts = new Map<number, number>();

  observe(value: number): void {
    if (!(value > zeroThreshold)) {
      this.zeroCount += 1;
      return;
    }
    this.#add(Math.ceil(Math.log2(value) * 2 ** this.schema), 1);
  }

  /** What another has counted as well. */
  merge({ schema, zeroCount, counts }: NativeCounts): void {
    this.zeroCount += zeroCount;
    while (this.schema > schema) this.#halve();
    for (const [bucket, count] of counts) this.#add(Math.ceil(bucket / 2 ** (schema - this.schema)), count);
  }

  #add(bucket: number, count: number): void {
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + count);
    while (this.counts.size > maxBuckets && this.schema > coarsestSchema) this.#halve();
  }

  #halve(): void {
    const wider = new Map<number, number>();
    for (const [bucket, count] of this.counts) {
      const into = Math.ceil(bucket / 2);
      wider.set(into, (wider.get(into) ?? 0) + count);
    }
    this.counts = wider;
    this.schema -= 1;
  }
}
