import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type WorkloadTemplate as Message,
  type ProbeSchema,
  WorkloadTemplateSchema,
} from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import type { ProbeSpec } from "../config/service-specs.ts";
import type { WorkloadTemplate } from "../model/workload-groups.ts";
import { duration } from "./messages.ts";

/** What a WorkloadGroup says to an agent; where its probe says nothing, Kubernetes' defaults. */
export function workloadTemplate({ ports, probe, proxy }: WorkloadTemplate): Message {
  return create(WorkloadTemplateSchema, {
    ports: [...ports],
    ...(probe ? { probe: buildProbe(probe) } : {}),
    ...(proxy
      ? {
          proxy: {
            ...(proxy.concurrency === undefined ? {} : { concurrency: proxy.concurrency }),
            environment: { ...proxy.environment },
          },
        }
      : {}),
  });
}

function buildProbe(probe: ProbeSpec): MessageInitShape<typeof ProbeSchema> {
  const seconds = (value: number | undefined, fallback: number) => duration((value || fallback) * 1000);
  return {
    initialDelay: seconds(probe.initialDelaySeconds, 0),
    period: seconds(probe.periodSeconds, 10),
    timeout: seconds(probe.timeoutSeconds, 1),
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
    method: method(probe),
  };
}

function method({
  httpGet,
  tcpSocket,
  exec,
  grpc,
}: ProbeSpec): MessageInitShape<typeof ProbeSchema>["method"] {
  if (tcpSocket) return { case: "tcpSocket", value: { host: tcpSocket.host ?? "", port: tcpSocket.port } };
  if (exec) return { case: "exec", value: { command: [...exec.command] } };
  if (grpc) return { case: "grpc", value: { port: grpc.port!, service: grpc.service ?? "" } };
  const { host = "", port, path = "/", scheme = "HTTP", httpHeaders = [] } = httpGet!;
  return {
    case: "httpGet",
    value: {
      host,
      port,
      path: path || "/",
      isHttps: scheme.toUpperCase() === "HTTPS",
      headers: httpHeaders.map((h) => ({ ...h })),
    },
  };
}
