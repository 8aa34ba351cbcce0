import { NativeBuckets } from "./native-buckets.ts";

/**
 * Counters, gauges and histograms that cost one addition on the hot path and
 * are rendered only when scraped.
 *
 * A series is resolved once (`family.with(labels)`) and kept by whoever counts;
 * the registry never looks up labels per event.
 */
export class Counter {
  value = 0;

  add(n = 1): void {
    this.value += n;
  }
}

/** A value that goes up and down, or is read at scrape time through `observe`. */
export class Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(n = 1): void {
    this.value += n;
  }
}

/** One observation that can be looked up in full: the trace that it was made in. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  readonly epochMs: number;
}

/** Fixed-bucket histogram. `bounds` ascend; an implicit last bucket is +Inf. */
export class Histogram {
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulative; one longer than `bounds`. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;
  /** The last one of each bucket; undefined until there is any. */
  exemplars: (Exemplar | undefined)[] | undefined = undefined;
  /** The same in buckets that grow with what is observed, where that is asked for. */
  readonly native: NativeBuckets | undefined;

  constructor(bounds: readonly number[], native?: NativeBuckets) {
    this.native = native;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= this.bounds[middle]!) high = middle;
      else low = middle + 1;
    }
    this.counts[low]! += 1;
    this.sum += value;
    this.count += 1;
    if (this.native !== undefined) this.native.observe(value);
  }

  /** As `observe`, and keeps the trace as an example of its bucket. */
  observeTraced(value: number, traceId: string, epochMs: number): void {
    this.observe(value);
    this.exemplars ??= new Array<Exemplar | undefined>(this.counts.length).fill(undefined);
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    this.exemplars[bucket < 0 ? this.bounds.length : bucket] = { traceId, value, epochMs };
  }
}

export type MetricKind = "counter" | "gauge" | "histogram";
type Metric = Counter | Gauge | Histogram;

/** Label values in the order of the family's label names. */
export type LabelValues = readonly string[];

/** A label of one series that the others of its family do not have, and its value. */
export type MoreLabel = readonly [name: string, value: string];

export interface Series<M extends Metric = Metric> {
  readonly labels: LabelValues;
  /** Labels that its family does not have, in order of their names; absent: none. */
  readonly more?: readonly MoreLabel[] | undefined;
  readonly metric: M;
}

/** How many series a family may have, and which labels the one for all further ones keeps. */
export interface SeriesLimit {
  readonly maxSeries: number;
  /** So many, from the first; the others are `overflow`. */
  readonly keptLabels: number;
}

const overflow = "overflow";

/** All series of one metric name. */
export class MetricFamily<M extends Metric = Metric> {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  readonly #create: () => M;
  readonly #series = new Map<string, Series<M>>();
  readonly #limit: SeriesLimit | undefined;
  /** Keys of series by their first label; made when series are first removed by it. */
  #byFirst: Map<string, Set<string>> | undefined;
  /** How often labels were asked for that had no room. */
  overflowed = 0;

  constructor(
    kind: MetricKind,
    name: string,
    help: string,
    labelNames: readonly string[],
    create: () => M,
    limit?: SeriesLimit,
  ) {
    this.#limit = limit;
    this.kind = kind;
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
    this.#create = create;
  }

  /** The series with these label values, made on first use. */
  with(...labels: string[]): M {
    return this.#of(labels, undefined);
  }

  /** The same with labels of its own, in order of their names. */
  withMore(labels: LabelValues, more: readonly MoreLabel[]): M {
    return this.#of(labels, more.length > 0 ? more : undefined);
  }

  #of(labels: LabelValues, more: readonly MoreLabel[] | undefined): M {
    if (labels.length !== this.labelNames.length) {
      throw new RangeError(`${this.name} takes ${this.labelNames.length} labels, got ${labels.length}`);
    }
    const key = keyOf(labels, more);
    const series = this.#series.get(key);
    if (series) return series.metric;
    if (this.#limit && this.#series.size >= this.#limit.maxSeries) {
      this.overflowed += 1;
      const { keptLabels } = this.#limit;
      return this.#made(
        labels.map((value, i) => (i < keptLabels ? value : overflow)),
        undefined,
      );
    }
    return this.#made(labels, more);
  }

  /** There, or made whatever the limit is. */
  #made(labels: LabelValues, more: readonly MoreLabel[] | undefined): M {
    const key = keyOf(labels, more);
    let series = this.#series.get(key);
    if (!series) {
      series = { labels, more, metric: this.#create() };
      this.#series.set(key, series);
      if (this.#byFirst) addToIndex(this.#byFirst, series, key);
    }
    return series.metric;
  }

  /** A metric of this family that is never rendered: for callers told to drop what they count. */
  detached(): M {
    return this.#create();
  }

  remove(...labels: string[]): void {
    this.#delete(labels, keyOf(labels, undefined));
  }

  /** Whoever counts in it does so for nobody. */
  removeSeries({ labels, more }: Series<M>): void {
    this.#delete(labels, keyOf(labels, more));
  }

  /** Every series whose first label has this value; costs what these cost, however many others there are. */
  removeByFirst(value: string): void {
    if (this.labelNames.length === 1) this.#series.delete(value);
    const byFirst = this.#indexed();
    for (const key of byFirst.get(value) ?? []) this.#series.delete(key);
    byFirst.delete(value);
  }

  #indexed(): Map<string, Set<string>> {
    if (!this.#byFirst) {
      this.#byFirst = new Map();
      for (const [key, series] of this.#series) addToIndex(this.#byFirst, series, key);
    }
    return this.#byFirst;
  }

  #delete(labels: LabelValues, key: string): void {
    this.#series.delete(key);
    this.#byFirst?.get(labels[0]!)?.delete(key);
  }

  get series(): Iterable<Series<M>> {
    return this.#series.values();
  }
}

/** A series of one label is found by its key, and needs no index: most families of Envoy's have one. */
function addToIndex(byFirst: Map<string, Set<string>>, { labels, more }: Series, key: string): void {
  if (labels.length === 0 || (labels.length === 1 && !more)) return;
  const keys = byFirst.get(labels[0]!);
  if (keys) keys.add(key);
  else byFirst.set(labels[0]!, new Set([key]));
}

function keyOf(labels: LabelValues, more: readonly MoreLabel[] | undefined): string {
  const own = labels.join("\u0000");
  return more ? `${own}\u0000\u0000${more.flat().join("\u0000")}` : own;
}

/** Every metric of one process, in the order of registration. */
export class MetricRegistry {
  /** Grows when series are forgotten: whoever keeps one must ask for it again. */
  generation = 0;
  /** Whether histograms that are made from now on have native buckets as well. */
  hasNativeHistograms = false;
  readonly #families = new Map<string, MetricFamily>();
  readonly #collectors: (() => void)[] = [];

  counter(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    limit?: SeriesLimit,
  ): MetricFamily<Counter> {
    return this.#family("counter", name, help, labelNames, () => new Counter(), limit);
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): MetricFamily<Gauge> {
    return this.#family("gauge", name, help, labelNames, () => new Gauge());
  }

  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
    limit?: SeriesLimit,
  ): MetricFamily<Histogram> {
    return this.#family(
      "histogram",
      name,
      help,
      labelNames,
      () => new Histogram(bounds, this.hasNativeHistograms ? new NativeBuckets() : undefined),
      limit,
    );
  }

  /** Runs before every rendering, to set gauges that are cheaper to read than to keep. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  /** The families as they are now; collectors do not run. */
  get families(): Iterable<MetricFamily> {
    return this.#families.values();
  }

  /** The families as they are now, collectors having run. */
  collect(): readonly MetricFamily[] {
    for (const collect of this.#collectors) collect();
    return [...this.#families.values()];
  }

  #family<M extends Metric>(
    kind: MetricKind,
    name: string,
    help: string,
    labelNames: readonly string[],
    create: () => M,
    limit?: SeriesLimit,
  ): MetricFamily<M> {
    const existing = this.#families.get(name);
    if (existing) {
      if (existing.kind !== kind || existing.labelNames.join() !== labelNames.join()) {
        throw new Error(`metric ${name} is already registered with another kind or other labels`);
      }
      return existing as unknown as MetricFamily<M>;
    }
    const family = new MetricFamily<M>(kind, name, help, labelNames, create, limit);
    this.#families.set(name, family as unknown as MetricFamily);
    return family;
  }
}
