import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { AdsClient, type AdsState } from "@weft/xds/ads-client";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { isRefusal } from "@weft/xds/grpc/grpc-status";
import { typeUrl } from "@weft/xds/type-url";
import type { MeshName } from "../dns/mesh-names.ts";

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly target: GrpcTarget;
  readonly node: { readonly id: string; readonly cluster: string; readonly metadata: JsonObject };
  readonly version: string;
  readonly onNames: (names: readonly MeshName[]) => void;
  readonly talk: (line: string) => void;
}

/** What is said of an application before it has been seen to answer. */
const starting = "the application does not accept connections yet";

/**
 * The agent's stream to the control plane: the registration and its lease, the
 * application's health, and the names for DNS. Keeps itself open; after a
 * reconnect it says the current health again. What was received stays in force
 * while the control plane is away.
 */
export class Registration {
  readonly #client: AdsClient;
  readonly #talk: (line: string) => void;
  #problem: string | undefined = starting;
  /** What people were told of the connection last. */
  #told: "nothing" | "lost" | "refused" = "nothing";

  constructor(options: RegistrationOptions) {
    this.#talk = options.talk;
    this.#client = new AdsClient({
      clock: options.clock,
      target: options.target,
      mode: "delta",
      node: () => ({
        ...options.node,
        userAgentName: "weft-agent",
        userAgentVersionType: { case: "userAgentVersion", value: options.version },
      }),
      backoff: { baseMs: 200, maxMs: 5_000 },
      onState: (state) => this.#onState(state),
      handler: {
        onResources(_type, { added }) {
          const [table] = added;
          if (table) options.onNames(decodeNameTable(table.body));
        },
      },
    });
    this.#client.subscribe(typeUrl.nameTable, "*");
  }

  start(): void {
    this.#client.start();
  }

  /** Undefined: the application is ready for traffic. Otherwise why not, and its endpoints leave the mesh. */
  setHealth(problem: string | undefined): void {
    if (this.#problem === problem) return;
    this.#problem = problem;
    this.#client.report(typeUrl.health, problem);
  }

  close(): void {
    this.#client.close();
  }

  #onState(state: AdsState): void {
    if (state.t === "connected") {
      // The state is set just before the subscriptions are sent; health comes after them.
      if (!state.isAnswered) queueMicrotask(() => this.#client.report(typeUrl.health, this.#problem));
      if (state.isAnswered && this.#told !== "nothing") {
        this.#talk("the control plane is back");
        this.#told = "nothing";
      }
    } else if (state.t === "waiting") {
      const { code, message } = state.error;
      const what = isRefusal(code) ? "refused" : "lost";
      if (what === this.#told) return;
      this.#told = what;
      this.#talk(
        what === "refused"
          ? `the control plane refuses this workload: ${message}`
          : `no connection to the control plane (${message}); trying on with what is known`,
      );
    }
  }
}

/** @throws when the bytes are no name table: the update is refused and the old table stays */
function decodeNameTable(body: Uint8Array): MeshName[] {
  const { table } = fromBinary(NameTableSchema, body);
  return Object.entries(table).map(([host, { ips, shortname, namespace }]) => ({
    host,
    addresses: ips,
    shortName: shortname,
    namespace,
  }));
}
