import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "@weft/base/clock";
import { type Certificate, spkiPin } from "@weft/identity/certificate";
import { bundleVersion } from "@weft/identity/trust-bundle";
import { AdsClient, type AdsState } from "@weft/xds/ads-client";
import { SecretSchema } from "@weft/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb";
import { NameTableSchema } from "@weft/xds/gen/istio/networking/nds/v1/nds_pb";
import {
  type WorkloadTemplate,
  WorkloadTemplateSchema,
} from "@weft/xds/gen/weft/workload/v1/workload_template_pb";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { isRefusal } from "@weft/xds/grpc/grpc-status";
import { typeUrl } from "@weft/xds/type-url";
import type { MeshName } from "../dns/mesh-names.ts";
import { rootOf, type Svid } from "../enrolment/svid.ts";
import type { NodeLocality } from "../workload-plan.ts";

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly target: GrpcTarget;
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly metadata: JsonObject;
    readonly locality?: NodeLocality;
  };
  readonly version: string;
  readonly onNames: (names: readonly MeshName[]) => void;
  /** The trust bundle of now, as PEM. Throwing refuses it. */
  readonly onBundle: (bundlePem: string) => void;
  /** What the mesh says of the workload and its proxy, and when it says something else; undefined: nothing. */
  readonly onTemplate?: (template: WorkloadTemplate | undefined) => void;
  /** The public keys of JWT-SVIDs of now, as a JSON Web Key Set. Throwing refuses it. */
  readonly onKeySet: (keySet: string) => void;
  /** The bundles of other trust domains of now, as a bundle map. Throwing refuses it. */
  readonly onBundleMap: (map: string) => void;
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
  /** Version of the trust bundle, and pin of the certificate's root. */
  #held: readonly string[] = [];
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
        onResources(type, { added }) {
          const [only] = added;
          if (type === typeUrl.nameTable && only) options.onNames(decodeNameTable(only.body));
          else if (type === typeUrl.workloadTemplate) {
            options.onTemplate?.(only && fromBinary(WorkloadTemplateSchema, only.body));
          }
          if (type !== typeUrl.secret) return;
          for (const { name, body } of added) {
            if (name === "ROOTCA") options.onBundle(decodeSecret(body));
            else if (name === "JWKS") options.onKeySet(decodeSecret(body));
            else if (name === "BUNDLES") options.onBundleMap(decodeSecret(body));
          }
        },
      },
    });
    this.#client.subscribe(typeUrl.nameTable, "*");
    this.#client.subscribe(typeUrl.secret, ["ROOTCA", "JWKS", "BUNDLES"]);
    if (options.onTemplate) this.#client.subscribe(typeUrl.workloadTemplate, "*");
  }

  start(): void {
    this.#client.start();
  }

  /** Undefined: the application is ready for traffic. Otherwise why not, and its endpoints leave the mesh. */
  setHealth(problem: string | undefined): void {
    if (this.#problem === problem) return;
    this.#problem = problem;
    this.#client.report(typeUrl.health, { error: problem });
  }

  /** What the data plane uses for its handshakes from now on. */
  setHeld(svid: Svid): void {
    this.#held = [bundleVersion(svid.bundle), pinOf(rootOf(svid))];
    this.#client.report(typeUrl.trustReport, { names: this.#held });
  }

  close(): void {
    this.#client.close();
  }

  #sayAll(): void {
    this.#client.report(typeUrl.health, { error: this.#problem });
    if (this.#held.length > 0) this.#client.report(typeUrl.trustReport, { names: this.#held });
  }

  #onState(state: AdsState): void {
    if (state.t === "connected") {
      // The state is set just before the subscriptions are sent; health comes after them.
      if (!state.isAnswered) queueMicrotask(() => this.#sayAll());
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

/** @throws when the bytes are neither a trust bundle nor a key set: the one before stays */
function decodeSecret(body: Uint8Array): string {
  const { type } = fromBinary(SecretSchema, body);
  const source =
    type.case === "validationContext"
      ? type.value.trustedCa
      : type.case === "genericSecret"
        ? type.value.secret
        : undefined;
  if (source?.specifier.case !== "inlineString") throw new Error("the secret is not inline");
  return source.specifier.value;
}

function pinOf(root: Certificate | undefined): string {
  return root ? spkiPin(root) : "";
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
