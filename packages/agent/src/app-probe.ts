import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HttpGet, Probe, WorkloadTemplate } from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import { loopbackAddresses } from "@weft/xds/loopback-addresses";
import type { AppProbe } from "./app-health.ts";
import { type AppSurroundings, commandSucceeds } from "./command-succeeds.ts";
import { isServing } from "./is-serving.ts";
import type { PlannedPort, WorkloadPlan } from "./workload-plan.ts";

const timeoutMs = 1_000;

/**
 * Asked where nothing else is written: often while it starts, so that it gets
 * traffic at once, seldom afterwards. One refused connection is a full backlog;
 * two in a row are an application that is gone.
 */
export const listening: Omit<AppProbe, "try"> = {
  problem: "the application no longer accepts connections",
  initialDelayMs: 0,
  startingPeriodMs: 100,
  periodMs: 5_000,
  successThreshold: 1,
  failureThreshold: 2,
};

/**
 * How to find out whether the application is ready: as its WorkloadGroup says,
 * else by whether it accepts TCP connections on all its ports. Tried where its
 * sidecar, or its peers without one, will connect.
 */
export function appProbe(
  plan: WorkloadPlan,
  template: WorkloadTemplate | undefined,
  surroundings: AppSurroundings,
): AppProbe {
  if (template?.probe) return writtenProbe(template.probe, plan, surroundings);
  const written = plan.ports.length > 0 ? [] : (template?.ports ?? []);
  const ports = [...plan.ports, ...written.map((port) => ({ port, listenPort: port }))];
  return {
    ...listening,
    try: async (signal) => {
      const answers = await Promise.all(
        ports.map((port) =>
          atOneOf(appAddresses(plan, port), (host) => connects(host, port.port, limited(signal, timeoutMs))),
        ),
      );
      return answers.every((answer) => answer);
    },
  };
}

function writtenProbe(probe: Probe, plan: WorkloadPlan, surroundings: AppSurroundings): AppProbe {
  const { method, successThreshold, failureThreshold } = probe;
  const periodMs = probe.period ? durationMs(probe.period) : 10_000;
  const limitMs = probe.timeout ? durationMs(probe.timeout) : timeoutMs;
  const here = (port: number) =>
    appAddresses(plan, plan.ports.find((own) => own.port === port) ?? { port, listenPort: port });
  const placesOf = (host: string, port: number) => (host === "" ? here(port) : [host]);
  return {
    problem: "the application does not pass the probe of its WorkloadGroup",
    initialDelayMs: probe.initialDelay ? durationMs(probe.initialDelay) : 0,
    startingPeriodMs: periodMs,
    periodMs,
    successThreshold: successThreshold || 1,
    failureThreshold: failureThreshold || 3,
    try: async (stop) => {
      const signal = limited(stop, limitMs);
      switch (method.case) {
        case "httpGet":
          return atOneOf(placesOf(method.value.host, method.value.port), (host) =>
            answersWell(host, method.value, signal),
          );
        case "tcpSocket":
          return atOneOf(placesOf(method.value.host, method.value.port), (host) =>
            connects(host, method.value.port, signal),
          );
        case "grpc":
          return atOneOf(here(method.value.port), (host) => isServing({ ...method.value, host }, signal));
        case "exec":
          return commandSucceeds(method.value.command, surroundings, signal);
        // A method that a newer control plane knows.
        default:
          return false;
      }
    },
  };
}

function limited(signal: AbortSignal, limitMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
}

/** Status 200 to 399; redirects are not followed, and a certificate says nothing here. */
function answersWell(
  host: string,
  { port, path, isHttps, headers }: HttpGet,
  signal: AbortSignal,
): Promise<boolean> {
  const fields = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
  const options = { host, port, path, headers: fields, signal, agent: false, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const call = (isHttps ? httpsRequest : httpRequest)(options, ({ statusCode = 0 }) => {
      resolve(statusCode >= 200 && statusCode < 400);
      call.destroy();
    });
    call.on("error", () => resolve(false));
    call.end();
  });
}

/**
 * Where the application listens. Without a sidecar where its peers connect; else as the sidecar's inbound clusters have it:
 * loopback; but a workload whose sidecar takes another port of its address
 * has that address to itself, and others on this machine have the same port on theirs.
 */
function appAddresses(
  plan: WorkloadPlan,
  { port, listenPort }: Pick<PlannedPort, "port" | "listenPort">,
): readonly string[] {
  const { capture, addresses, hasSidecar } = plan;
  if (!hasSidecar || (capture === "none" && listenPort !== port)) return addresses;
  return loopbackAddresses(addresses);
}

/** Whether it is well at one of these places, as callers try one after the other. */
async function atOneOf(hosts: readonly string[], ask: (host: string) => Promise<boolean>): Promise<boolean> {
  for (const host of hosts) if (await ask(host)) return true;
  return false;
}

function connects(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    const finish = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.on("error", () => finish(false));
    socket.on("connect", () => finish(true));
  });
}
