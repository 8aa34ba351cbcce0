/**
 * Writes Grafana's dashboards to observability/grafana from what
 * `dashboard-panels.ts` says.
 *
 *   node tools/dashboards.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Dashboard, dashboards, type Panel } from "./dashboard-panels.ts";

export const dashboardDirectory = join(import.meta.dirname, "..", "observability", "grafana");

const datasource = { type: "prometheus", uid: "$datasource" };
const columns = 2;
const width = 24 / columns;
const height = 8;

/** A dashboard as Grafana imports it; the data source is chosen there. */
export function renderDashboard({ uid, title, variables, panels }: Dashboard): string {
  const model = {
    uid,
    title,
    tags: ["weft"],
    schemaVersion: 39,
    editable: true,
    refresh: "10s",
    time: { from: "now-15m", to: "now" },
    templating: {
      list: [
        { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
        ...Object.entries(variables).map(([name, query]) => ({
          name,
          type: "query",
          datasource,
          query: { query, refId: name },
          refresh: 2,
          sort: 1,
          includeAll: true,
          allValue: ".*",
          current: { text: "All", value: "$__all" },
        })),
      ],
    },
    panels: panels.map(renderPanel),
  };
  return `${JSON.stringify(model, undefined, 2)}\n`;
}

function renderPanel({ title, unit, type = "timeseries", queries }: Panel, index: number) {
  return {
    id: index + 1,
    title,
    type,
    datasource,
    gridPos: {
      x: (index % columns) * width,
      y: Math.floor(index / columns) * height,
      w: width,
      h: height,
    },
    fieldConfig: { defaults: { unit, ...(unit === "percentunit" ? { min: 0 } : {}) }, overrides: [] },
    options: {},
    targets: Object.entries(queries).map(([legendFormat, expr], at) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + at),
      datasource,
      expr,
      legendFormat,
      ...(type === "table" ? { format: "table", instant: true } : {}),
    })),
  };
}

if (import.meta.main) {
  mkdirSync(dashboardDirectory, { recursive: true });
  for (const dashboard of dashboards) {
    writeFileSync(join(dashboardDirectory, `${dashboard.uid}.json`), renderDashboard(dashboard));
  }
}
