import type { CaseResult, Sample } from "./measure.ts";

interface Row {
  readonly key: keyof Sample;
  readonly title: (rate: number) => string;
  readonly digits: number;
}

const rows: readonly Row[] = [
  { key: "cpuPerRequestUs", title: () => "CPU per request, µs", digits: 1 },
  { key: "requestsPerSecond", title: () => "requests/s", digits: 0 },
  { key: "p50Ms", title: (rate) => `p50 at ${rate}/s, ms`, digits: 3 },
  { key: "p99Ms", title: (rate) => `p99 at ${rate}/s, ms`, digits: 3 },
  { key: "cpuPerHandshakeUs", title: () => "CPU per handshake, µs", digits: 0 },
  { key: "kibPerConnection", title: () => "KiB per connection", digits: 2 },
  { key: "rssIdleMb", title: () => "RSS idle, MB", digits: 0 },
  { key: "rssMb", title: () => "RSS after, MB", digits: 0 },
];

/** Median, smallest and largest over the rounds. */
interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface CaseSummary {
  readonly name: string;
  readonly title: string;
  readonly baseline: string;
  readonly subject: string;
  /** Of what the case measures. */
  readonly metrics: Readonly<Partial<Record<keyof Sample, Metric>>>;
}

interface Metric {
  readonly baseline: Spread;
  readonly subject: Spread;
  readonly ratio: Spread;
}

/** The ratio is taken round by round, so that what slows both in one round cancels out. */
export function summarize({ name, title, samples }: CaseResult): CaseSummary {
  const [baseline, subject] = Object.keys(samples);
  const first = samples[baseline!]!;
  const second = samples[subject!]!;
  const measured = rows.filter(({ key }) => first[0]?.[key] !== undefined);
  const metrics = Object.fromEntries(
    measured.map(({ key }): [string, Metric] => [
      key,
      {
        baseline: spread(first.map((sample) => sample[key]!)),
        subject: spread(second.map((sample) => sample[key]!)),
        ratio: spread(second.map((sample, i) => sample[key]! / first[i]![key]!)),
      },
    ]),
  );
  return { name, title, baseline: baseline!, subject: subject!, metrics };
}

export function renderTable(summary: CaseSummary, rate: number): string {
  const { baseline, subject, metrics } = summary;
  const cells = rows.flatMap(({ key, title, digits }) => {
    const metric = metrics[key];
    if (!metric) return [];
    const { median, min, max } = metric.ratio;
    return [
      [
        title(rate),
        metric.baseline.median.toFixed(digits),
        metric.subject.median.toFixed(digits),
        `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`,
      ],
    ];
  });
  const table = [["", baseline, subject, "ratio (min–max)"], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join("   "),
  );
  return `${summary.title}\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

function spread(values: readonly number[]): Spread {
  const ascending = [...values].sort((a, b) => a - b);
  const middle = ascending.length >> 1;
  const median =
    ascending.length % 2 === 1 ? ascending[middle]! : (ascending[middle - 1]! + ascending[middle]!) / 2;
  return { median, min: ascending[0]!, max: ascending.at(-1)! };
}
