import type { Bootstrap } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import { decodeStringMatcher } from "./decode-values.ts";
import type { Issues } from "./issues.ts";

/**
 * Whether a statistic, by its dotted name, is wanted; undefined where all are.
 *
 * @see envoy.config.metrics.v3.StatsMatcher
 */
export function decodeStatsMatcher(
  { statsConfig }: Bootstrap,
  issues: Issues,
): ((name: string) => boolean) | undefined {
  if (statsConfig?.useAllDefaultTags === false) {
    issues.add(
      "stats_config.use_all_default_tags",
      "cannot be false: labels are part of each metric",
      "remove it",
    );
  }
  const matcher = statsConfig?.statsMatcher?.statsMatcher;
  if (!matcher?.case) return undefined;
  if (matcher.case === "rejectAll") return matcher.value ? () => false : undefined;
  const isInclusion = matcher.case === "inclusionList";
  const path = `stats_config.stats_matcher.${isInclusion ? "inclusion_list" : "exclusion_list"}.patterns`;
  const { patterns } = matcher.value;
  if (patterns.length === 0) issues.add(path, "is empty");
  const tests = patterns.map((pattern, i) => decodeStringMatcher(pattern, `${path}[${i}]`, issues));
  return (name) => tests.some((matches) => matches(name)) === isInclusion;
}
