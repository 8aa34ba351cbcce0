import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import type { AccessLogPlan } from "../config/access-log-plan.ts";
import type { AccessLog } from "../layer/access-log.ts";
import {
  asString,
  compileTextLine,
  envoyDefaultFormat,
  type LineFormatter,
  type LineRenderer,
} from "./access-log-format.ts";
import { compileJsonLine } from "./access-log-json.ts";
import type { EnvoyStats } from "./envoy-stats.ts";
import { LogSink, type LogSinkStats } from "./log-sink.ts";

/**
 * All access logs of the process. Loggers that name the same file share its
 * sink, so that their lines never run into each other.
 */
export class AccessLogs {
  readonly #clock: Clock;
  readonly #stats: LogSinkStats;
  readonly #sinks = new Map<string, LogSink>();

  constructor(clock: Clock, stats: EnvoyStats) {
    this.#clock = clock;
    this.#stats = {
      lines: stats.counter("filesystem.write_buffered"),
      flushes: stats.counter("filesystem.write_completed"),
      timedFlushes: stats.counter("filesystem.flushed_by_timer"),
      failures: stats.counter("filesystem.write_failed"),
      reopenFailures: stats.counter("filesystem.reopen_failed"),
      lostLines: stats.registry
        .counter("weft_access_log_lost_lines_total", "Access log lines that could not be written")
        .with(),
    };
    const buffered = stats.gauge("filesystem.write_total_buffered");
    stats.registry.onCollect(() => {
      let bytes = 0;
      for (const sink of this.#sinks.values()) bytes += sink.bufferedBytes;
      buffered.set(bytes);
    });
  }

  /**
   * @throws SyntaxError for a format that cannot be compiled, UserError for a file
   * that cannot be opened.
   */
  create(plan: AccessLogPlan): AccessLog {
    const render = compileLine(plan.format);
    const sink = this.#sink(plan.sink);
    const { filter } = plan;
    return {
      log(exchange) {
        if (filter && !filter(exchange)) return;
        const line = sink.beginLine();
        if (!line) return;
        try {
          render(exchange, line);
        } catch (error) {
          sink.dropLine();
          throw error;
        }
        sink.endLine();
      },
    };
  }

  /** Opens every file anew (SIGUSR1), after it has been moved away. */
  reopen(): void {
    for (const sink of this.#sinks.values()) sink.reopen();
  }

  flush(): void {
    for (const sink of this.#sinks.values()) sink.flush();
  }

  /** Writes what is left; for the end of the process. */
  close(): void {
    for (const sink of this.#sinks.values()) sink.close();
    this.#sinks.clear();
  }

  #sink(plan: AccessLogPlan["sink"]): LogSink {
    const standard: Readonly<Record<string, number>> = { "/dev/stdout": 1, "/dev/stderr": 2 };
    const path = plan.kind === "file" ? plan.path : `/dev/${plan.kind}`;
    let sink = this.#sinks.get(path);
    if (sink) return sink;
    const descriptor = standard[path];
    try {
      sink = new LogSink(descriptor === undefined ? { path } : { descriptor }, {
        clock: this.#clock,
        stats: this.#stats,
      });
    } catch (error) {
      throw new UserError(`access log ${path} cannot be opened: ${messageOf(error)}`, {
        hint: "create its directory and let the proxy's user write there, or log to /dev/stdout",
        cause: error,
      });
    }
    this.#sinks.set(path, sink);
    return sink;
  }
}

/** Compiles a format of lines. @throws SyntaxError for one that cannot be compiled. */
function compileLine(format: AccessLogPlan["format"]): LineRenderer {
  switch (format.kind) {
    case "default":
      return compileTextLine(envoyDefaultFormat);
    case "text":
      return compileTextLine(format.format, format.omitEmptyValues);
    case "json":
      return compileJsonLine(format.fields, format.omitEmptyValues);
  }
}

/** Compiles a format of bodies. @throws SyntaxError for one that cannot be compiled. */
export function compileFormat(format: AccessLogPlan["format"]): LineFormatter {
  return asString(compileLine(format));
}
