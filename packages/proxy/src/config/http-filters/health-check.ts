import { HealthCheckSchema } from "@weft/xds/gen/envoy/extensions/filters/http/health_check/v3/health_check_pb";
import { createHealthCheckFilter } from "../../filters/health-check.ts";
import { decodeHeaderMatcher, timeoutMs } from "../decode-values.ts";
import { at, atKey } from "../issues.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const healthCheckFilter = httpFilterType(
  HealthCheckSchema,
  (message, { name, path }, { issues, services }) => {
    const { passThroughMode, cacheTime, clusterMinHealthyPercentages, headers } = message;
    const percents = Object.entries(clusterMinHealthyPercentages).map(([cluster, { value }]) => {
      if (!(value >= 0 && value <= 100)) {
        issues.add(
          atKey(at(path, "cluster_min_healthy_percentages"), cluster),
          `${value} is not within 0 to 100`,
        );
      }
      return [cluster, value] as const;
    });
    if (passThroughMode === undefined) {
      issues.add(at(path, "pass_through_mode"), "is missing", "say whether the application is asked");
    }
    if (!passThroughMode && cacheTime) {
      issues.add(at(path, "cache_time"), "goes with `pass_through_mode: true` only", "remove it");
    }
    if (passThroughMode && percents.length > 0) {
      issues.add(
        at(path, "cluster_min_healthy_percentages"),
        "goes with `pass_through_mode: false` only",
        "remove it",
      );
    }
    const matchers = headers.map((matcher, i) =>
      decodeHeaderMatcher(matcher, `${at(path, "headers")}[${i}]`, issues),
    );
    return createHealthCheckFilter(
      {
        matches: (request) => matchers.every((matches) => matches(request)),
        passesThrough: passThroughMode ?? false,
        cacheMs: timeoutMs(cacheTime, 0, at(path, "cache_time"), issues),
        minHealthyPercents: percents,
      },
      services.serverHealth,
      services.clock,
      name,
    );
  },
);
