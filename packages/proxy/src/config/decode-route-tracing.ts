import type {
  Decorator as DecoratorMessage,
  Tracing as RouteTracingMessage,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { FractionalPercent } from "@weft/xds/gen/envoy/type/v3/percent_pb";
import type { HeaderValue } from "../route/header-edits.ts";
import type { Share } from "../tracing/sampling.ts";
import type { Decorator, RouteTracing } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCustomTags } from "./decode-custom-tags.ts";
import { decodeHeaderValue, denominatorOf } from "./decode-values.ts";
import { at } from "./issues.ts";

/** Runtime values that stand in for configured shares, as whole percentages. */
export type SamplingKey = "tracing.client_enabled" | "tracing.random_sampling" | "tracing.global_enabled";

/** What a route has of its own, in place of its connection manager's. */
export function decodeRouteTracing(
  tracing: RouteTracingMessage,
  path: string,
  context: DecodeContext,
): RouteTracing {
  return {
    shares: {
      client: routeShare(tracing.clientSampling, "tracing.client_enabled", context),
      random: routeShare(tracing.randomSampling, "tracing.random_sampling", context),
      overall: routeShare(tracing.overallSampling, "tracing.global_enabled", context),
    },
    customTags: decodeCustomTags(tracing.customTags, at(path, "custom_tags"), context),
    operation: decodeOperation(tracing.operation, at(path, "operation"), context),
    upstreamOperation: decodeOperation(tracing.upstreamOperation, at(path, "upstream_operation"), context),
  };
}

export function decodeDecorator(
  decorator: DecoratorMessage | undefined,
  path: string,
  { issues }: DecodeContext,
): Decorator | undefined {
  if (!decorator) return undefined;
  if (decorator.operation === "") issues.add(at(path, "operation"), "is empty", "name the operation");
  return { operation: decorator.operation, isPropagated: decorator.propagate ?? true };
}

/** The name of spans; undefined leaves the usual one. */
export function decodeOperation(
  operation: string,
  path: string,
  context: DecodeContext,
): HeaderValue | undefined {
  return operation === "" ? undefined : decodeHeaderValue(operation, path, context);
}

/** A static runtime value, or else what is configured. */
export function withRuntime(share: Share, key: SamplingKey, { runtime }: DecodeContext): Share {
  const override = runtime.get(key);
  return typeof override === "number" ? { numerator: override, denominator: 100 } : share;
}

function routeShare(percent: FractionalPercent | undefined, key: SamplingKey, context: DecodeContext): Share {
  const share = percent
    ? { numerator: percent.numerator, denominator: denominatorOf(percent) }
    : { numerator: 100, denominator: 100 };
  return withRuntime(share, key, context);
}
