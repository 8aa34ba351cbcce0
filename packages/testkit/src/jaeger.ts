import { spawn } from "node:child_process";
import { freePorts } from "./free-port.ts";
import { findPeer } from "./peer.ts";

/** A running Jaeger that keeps its traces in memory. */
export interface Jaeger {
  /** OTLP. */
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly queryUrl: string;
  close(): void;
}

/** Undefined: there is no Jaeger on this machine. */
export const jaegerProgram: string | undefined = findPeer("jaeger-all-in-one");

/** Starts one on ports of its own; resolves when it answers queries. */
export async function startJaeger(): Promise<Jaeger> {
  const flags = [
    "collector.otlp.grpc.host-port",
    "collector.otlp.http.host-port",
    "query.http-server.host-port",
    "query.grpc-server.host-port",
    "admin.http.host-port",
    "collector.grpc-server.host-port",
    "collector.http-server.host-port",
  ];
  const chosen = await freePorts(flags.length);
  const [grpcPort, httpPort, queryPort] = chosen as [number, number, number];
  const child = spawn(
    jaegerProgram!,
    flags.map((flag, i) => `--${flag}=127.0.0.1:${chosen[i]}`),
    { stdio: "ignore", env: { ...process.env, SPAN_STORAGE_TYPE: "memory" } },
  );
  const queryUrl = `http://127.0.0.1:${queryPort}`;
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`${queryUrl}/api/services`).catch(() => undefined);
    if (answer?.ok) return { grpcPort, httpPort, queryUrl, close: () => void child.kill("SIGKILL") };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGKILL");
  throw new Error("Jaeger does not answer");
}
