import type { CallSignals } from "@weft/control/api/protocol";
import type { Column } from "./table.ts";
import { formatMs, formatRate, formatShare } from "./units.ts";

/** The golden signals of calls, as every table shows them. */
export const signalColumns: readonly Column<CallSignals>[] = [
  { title: "SUCCESS", value: (row) => formatShare(row.successRate), align: "right" },
  { title: "RPS", value: (row) => formatRate(row.requestsPerSecond), align: "right" },
  { title: "P50", value: (row) => formatMs(row.p50Ms), align: "right" },
  { title: "P95", value: (row) => formatMs(row.p95Ms), align: "right" },
  { title: "P99", value: (row) => formatMs(row.p99Ms), align: "right" },
  { title: "TCP", value: (row) => String(row.tcpConnections), align: "right" },
];
