import type { HistoryReport, MeshEvent } from "@weft/control/api/protocol";
import { LineChart } from "../chart/line-chart.tsx";
import { visibleRange } from "../chart/visible-range.ts";
import { Empty, Panel } from "../panel/panel.tsx";
import type { Loaded } from "../state/hooks.ts";
import type { Location } from "../state/location.ts";
import { formatMs, formatRate, formatShare } from "../words/format.ts";
import type { PromQueries } from "../words/promql.ts";

export interface HistoryChartsProps {
  readonly history: Loaded<HistoryReport | null>;
  readonly events: readonly MeshEvent[];
  readonly cli: string;
  readonly queries: PromQueries;
  readonly location: Location;
  /** Lines beside the whole: what each version got. */
  readonly parts?: readonly { readonly label: string; readonly history: HistoryReport }[];
}

const partTones = [3, 5, 4, 2] as const;

/** The golden signals over the last hour: traffic, errors, latency, saturation. */
export function HistoryCharts({ history, events, cli, queries, location, parts = [] }: HistoryChartsProps) {
  const { range = "" } = location.options;
  const chart = (draw: (report: HistoryReport) => preact.ComponentChildren) => {
    if (history.state === "ready" && history.value) return draw(visibleRange(history.value, range));
    if (history.state === "loading") return <p class="note">Reading the last hour…</p>;
    return (
      <Empty
        why="There is no history yet: the first point is written 15 seconds after the control plane started."
        todo="Wait a moment. History is kept in memory: a restart begins it anew."
      />
    );
  };
  const common = (report: HistoryReport) => ({ startMs: report.startMs, stepMs: report.stepMs, events });
  return (
    <div class="grid two">
      <Panel title="Traffic" note="calls per second" cli={cli} promql={queries.traffic}>
        {chart((report) => (
          <LineChart
            {...common(report)}
            label="Traffic"
            format={formatRate}
            lines={[
              { label: "calls", values: report.rps, tone: 1 },
              ...parts.map(({ label, history: part }, i) => ({
                label,
                values: part.rps.slice(-report.rps.length),
                tone: partTones[i % partTones.length]!,
              })),
              ...(report.denied.some((value) => value)
                ? [{ label: "refused", values: report.denied, tone: 4 } as const]
                : []),
              ...(report.tcp.some((value) => value)
                ? [{ label: "open TCP", values: report.tcp, tone: 6 } as const]
                : []),
            ]}
          />
        ))}
      </Panel>
      <Panel title="Errors" note="share of calls that fail" cli={cli} promql={`1 - ${queries.success}`}>
        {chart((report) => (
          <LineChart
            {...common(report)}
            label="Errors"
            format={formatShare}
            atLeast={0.01}
            lines={[
              {
                label: "failing",
                values: report.success.map((share) => (share === null ? null : 1 - share)),
                tone: 2,
              },
            ]}
          />
        ))}
      </Panel>
      <Panel title="Latency" note="as the destinations measured it" cli={cli} promql={queries.latency}>
        {chart((report) => (
          <LineChart
            {...common(report)}
            label="Latency"
            format={formatMs}
            lines={[
              { label: "p50", values: report.p50, tone: 5 },
              { label: "p95", values: report.p95, tone: 3 },
              { label: "p99", values: report.p99, tone: 1 },
            ]}
          />
        ))}
      </Panel>
      <Panel
        title="Saturation"
        note="busiest sidecar's event loop"
        cli={`${cli} -o json | jq '.rows[] | {name, loopUtilization}'`}
        promql="max(weft_event_loop_utilization)"
      >
        {chart((report) => (
          <LineChart
            {...common(report)}
            label="Saturation"
            format={formatShare}
            atLeast={0.1}
            lines={[{ label: "busy", values: report.saturation, tone: 3 }]}
          />
        ))}
      </Panel>
    </div>
  );
}
