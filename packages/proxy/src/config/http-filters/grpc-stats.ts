import {
  type FilterConfig,
  FilterConfigSchema,
} from "@weft/xds/gen/envoy/extensions/filters/http/grpc_stats/v3/config_pb";
import { type CountedMethods, createGrpcStatsFilter } from "../../filters/grpc-stats.ts";
import { httpFilterType } from "./http-filter-type.ts";

export const grpcStatsFilter = httpFilterType(FilterConfigSchema, (config, { name }, { services }) => {
  const { perMethodStatSpecifier, enableUpstreamStats, replaceDotsInGrpcServiceName } = config;
  return createGrpcStatsFilter(
    {
      methods: methodsOf(perMethodStatSpecifier),
      measuresTime: enableUpstreamStats,
      replacesDots: replaceDotsInGrpcServiceName,
    },
    services.stats,
    name,
  );
});

function methodsOf(specifier: FilterConfig["perMethodStatSpecifier"]): CountedMethods {
  switch (specifier.case) {
    case "individualMethodStatsAllowlist":
      return new Set(
        specifier.value.services.flatMap(({ name, methodNames }) =>
          methodNames.map((method) => `/${name}/${method}`),
        ),
      );
    case "statsForAllMethods":
      return specifier.value.value ? "all" : "none";
    default:
      return "none";
  }
}
