import type { HTTPFault } from "@weft/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb";
import type { FractionalPercent } from "@weft/xds/gen/envoy/type/v3/percent_pb";
import type { AbortPlan, DelayPlan, FaultPlan, FractionPlan } from "../filters/fault-plan.ts";
import { decodeHeaderMatcher, denominatorOf, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

export function decodeFault(fault: HTTPFault, path: string, issues: Issues): FaultPlan {
  return {
    delay: decodeDelay(fault, at(path, "delay"), issues),
    abort: decodeAbort(fault, at(path, "abort"), issues),
    headers: fault.headers.map((matcher, i) =>
      decodeHeaderMatcher(matcher, `${at(path, "headers")}[${i}]`, issues),
    ),
    downstreamNodes: fault.downstreamNodes,
    maxActiveFaults: fault.maxActiveFaults,
  };
}

function decodeDelay({ delay }: HTTPFault, path: string, issues: Issues): DelayPlan | undefined {
  if (!delay) return undefined;
  const share = decodeShare(delay.percentage, at(path, "percentage"), issues);
  const specifier = delay.faultDelaySecifier;
  switch (specifier.case) {
    case "fixedDelay": {
      const delayMs = timeoutMs(specifier.value, 0, at(path, "fixed_delay"), issues);
      if (delayMs === 0)
        issues.add(at(path, "fixed_delay"), "is zero", "remove the delay or give it a length");
      return { kind: "fixed", delayMs, share };
    }
    case "headerDelay":
      return { kind: "header-controlled", share };
    default:
      issues.add(path, "needs `fixed_delay` or `header_delay`");
      return undefined;
  }
}

function decodeAbort({ abort }: HTTPFault, path: string, issues: Issues): AbortPlan | undefined {
  if (!abort) return undefined;
  const share = decodeShare(abort.percentage, at(path, "percentage"), issues);
  const type = abort.errorType;
  switch (type.case) {
    case "httpStatus":
      if (type.value < 200 || type.value > 599) {
        issues.add(at(path, "http_status"), `${type.value} is not a response status`, "200 to 599");
      }
      return { kind: "http", status: type.value, share };
    case "grpcStatus":
      return { kind: "grpc", grpcStatus: type.value, share };
    case "headerAbort":
      return { kind: "header-controlled", share };
    default:
      issues.add(path, "needs one of `http_status`, `grpc_status`, `header_abort`");
      return undefined;
  }
}

/** An absent percentage is zero, as in Envoy. */
function decodeShare(percent: FractionalPercent | undefined, path: string, issues: Issues): FractionPlan {
  if (!percent) return { numerator: 0, denominator: 100 };
  const denominator = denominatorOf(percent);
  if (percent.numerator > denominator)
    issues.add(at(path, "numerator"), `is above ${denominator}, the whole`);
  return { numerator: percent.numerator, denominator };
}
