import type { PoolContext } from "../layer/pending-connection.ts";
import type { Connecting } from "../net/connect.ts";
import { connectInTurn } from "../net/connect-in-turn.ts";
import { Connection } from "../net/connection.ts";
import type { ConnectionHandler } from "../net/connection-handler.ts";
import type { ProbeTarget, TcpProbePlan } from "./health-check-plan.ts";
import { matchesPayload } from "./payload-matcher.ts";
import type { Probe, ProbeResult } from "./probe.ts";

const bufferLimitBytes = 64 * 1024;

/**
 * Asks by connecting; where payloads are given, also by sending the one and
 * waiting for the others.
 *
 * @see envoy.config.core.v3.HealthCheck.TcpHealthCheck
 */
export class TcpProbe implements Probe, ConnectionHandler {
  readonly #plan: TcpProbePlan;
  readonly #reusesConnection: boolean;
  readonly #target: ProbeTarget;
  readonly #context: PoolContext;
  readonly #onResult: (result: ProbeResult) => void;
  #connecting: Connecting | undefined;
  #connection: Connection | undefined;
  #received = Buffer.alloc(0);
  #isAsking = false;

  constructor(
    plan: TcpProbePlan,
    reusesConnection: boolean,
    target: ProbeTarget,
    context: PoolContext,
    onResult: (result: ProbeResult) => void,
  ) {
    this.#plan = plan;
    this.#reusesConnection = reusesConnection;
    this.#target = target;
    this.#context = context;
    this.#onResult = onResult;
  }

  check(): void {
    this.#isAsking = true;
    this.#received = Buffer.alloc(0);
    if (this.#connection) {
      this.#begin(this.#connection);
      return;
    }
    const { tls, bindAddresses: localAddresses, preface } = this.#target;
    this.#connecting = connectInTurn(
      this.#target,
      { tls, serverName: tls?.sni ?? "", localAddresses, preface, timers: this.#context.timers },
      {
        onConnected: (socket) => {
          this.#connecting = undefined;
          const { timers, onFault } = this.#context;
          const connection = new Connection(socket, { timers, bufferLimitBytes, onFault });
          this.#connection = connection;
          connection.start(this);
          this.#begin(connection);
        },
        onFailed: () => {
          this.#connecting = undefined;
          this.#fail();
        },
      },
    );
  }

  cancel(): void {
    this.#isAsking = false;
    this.#connecting?.cancel();
    this.#connecting = undefined;
    this.#close();
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    if (!this.#isAsking) return;
    this.#received = Buffer.concat([this.#received, bytes.subarray(start, end)]);
    if (matchesPayload(this.#plan.receive, this.#received)) this.#succeed();
    else if (this.#received.length > bufferLimitBytes) this.#fail();
  }

  onEnd(): void {
    this.#fail();
    this.#close();
  }

  onWritable(): void {}

  onClosed(): void {
    this.#connection = undefined;
    this.#fail();
  }

  #begin(connection: Connection): void {
    const { send, receive } = this.#plan;
    if (send) connection.write(send);
    // Connecting is all that was asked for.
    if (receive.length === 0) this.#succeed();
  }

  #succeed(): void {
    this.#isAsking = false;
    // Nothing was said on it: the next check asks whether one can still connect.
    if (!this.#reusesConnection || this.#plan.receive.length === 0) this.#close();
    this.#onResult({ kind: "healthy", isDegraded: false });
  }

  #fail(): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.#close();
    this.#onResult({ kind: "failed", cause: "network", isRetriable: false, isImmediate: false });
  }

  #close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
  }
}
