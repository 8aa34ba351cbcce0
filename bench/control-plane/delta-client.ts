import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { MessageReader } from "@weft/xds/grpc/message-framing";
import { typeUrl } from "@weft/xds/type-url";

/** What one client wants, beside all clusters and listeners. */
export interface Wanted {
  readonly nodeId: string;
  readonly endpoints: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
}

/** Versions by resource name, by type URL: what a client that comes back says it holds. */
export type Held = ReadonlyMap<string, ReadonlyMap<string, string>>;

const none: ReadonlySet<string> = new Set();
const noVersions: ReadonlyMap<string, string> = new Map();
const subscriptions = new WeakMap<ReadonlySet<string>, WeakMap<ReadonlyMap<string, string>, Uint8Array>>();

/** The names of a request and the versions held of them, encoded once for all clients that want the same. */
function subscription(names: ReadonlySet<string>, held = noVersions): Uint8Array {
  let byHeld = subscriptions.get(names);
  if (!byHeld) {
    byHeld = new WeakMap();
    subscriptions.set(names, byHeld);
  }
  let bytes = byHeld.get(held);
  if (!bytes) {
    const writer = new BinaryWriter();
    for (const name of names) writer.tag(3, WireType.LengthDelimited).string(name);
    for (const [name, version] of held) {
      if (names.size > 0 && !names.has(name)) continue;
      const entry = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name);
      entry.tag(2, WireType.LengthDelimited).string(version);
      writer.tag(5, WireType.LengthDelimited).bytes(entry.finish());
    }
    bytes = writer.finish();
    byHeld.set(held, bytes);
  }
  return bytes;
}

const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/**
 * A delta ADS client that answers as a sidecar would and looks at nothing it
 * need not: thousands of them are to cost less than the server they measure.
 */
export class DeltaClient {
  readonly #wanted: Wanted;
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #onAnswered: () => void;
  readonly #keepsIn: Map<string, Map<string, string>> | undefined;
  readonly #reader = new MessageReader(64 << 20, (message) => this.#onResponse(message));
  #hasAsked = false;
  #isHeldBack: boolean;
  #isClosed = false;

  constructor(options: {
    readonly port: number;
    readonly wanted: Wanted;
    /** Gets the names and versions of what is received, by type. */
    readonly keepsIn?: Map<string, Map<string, string>>;
    readonly holds?: Held;
    /** Never reads, as a client that hangs. */
    readonly isStuck?: boolean;
    readonly onAnswered: () => void;
    /** The connection is gone, and not by `close`. */
    readonly onLost: () => void;
  }) {
    this.#wanted = options.wanted;
    this.#onAnswered = options.onAnswered;
    this.#isHeldBack = options.isStuck ?? false;
    this.#keepsIn = options.keepsIn;
    this.#session = connect(`http://127.0.0.1:${options.port}`, {
      settings: { initialWindowSize: 1 << 20, enablePush: false },
    });
    this.#session.on("error", () => {});
    this.#session.on("close", () => {
      if (!this.#isClosed) options.onLost();
    });
    this.#stream = this.#session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#stream.on("error", () => {});
    this.#stream.on("data", (chunk: Buffer) => this.#reader.push(chunk));
    if (this.#isHeldBack) this.#stream.pause();
    const { holds } = options;
    this.#ask(typeUrl.cluster, none, holds?.get(typeUrl.cluster));
    this.#ask(typeUrl.listener, none, holds?.get(typeUrl.listener));
    if (holds) this.#askForNamed(holds);
  }

  close(): void {
    this.#isClosed = true;
    this.#session.destroy();
  }

  #askForNamed(holds?: Held): void {
    this.#hasAsked = true;
    this.#ask(typeUrl.endpoint, this.#wanted.endpoints, holds?.get(typeUrl.endpoint));
    this.#ask(typeUrl.route, this.#wanted.routes, holds?.get(typeUrl.route));
  }

  #ask(type: string, names: ReadonlySet<string>, held?: ReadonlyMap<string, string>): void {
    const writer = new BinaryWriter();
    const node = new BinaryWriter().tag(1, WireType.LengthDelimited).string(this.#wanted.nodeId);
    node.tag(10, WireType.LengthDelimited).string("weft.istio-stats-network");
    writer.tag(1, WireType.LengthDelimited).bytes(node.finish());
    writer.tag(2, WireType.LengthDelimited).string(type);
    this.#send(Buffer.concat([writer.finish(), subscription(names, held)]));
  }

  #send(message: Uint8Array): void {
    const frame = Buffer.allocUnsafe(5 + message.length);
    frame[0] = 0;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    this.#stream.write(frame);
  }

  /** Answers with an ACK; asks for endpoints and routes after the first clusters. */
  #onResponse(message: Uint8Array): void {
    const reader = new BinaryReader(message);
    let type = "";
    let nonce = "";
    const resources: Uint8Array[] = [];
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 4) type = reader.string();
      else if (field === 5) nonce = reader.string();
      else if (field === 2 && this.#keepsIn) resources.push(reader.bytes());
      else reader.skip(wireType);
    }
    for (const resource of resources) keep(this.#keepsIn!, type, resource);
    const ack = new BinaryWriter().tag(2, WireType.LengthDelimited).string(type);
    this.#send(ack.tag(6, WireType.LengthDelimited).string(nonce).finish());
    if (!this.#hasAsked && type === typeUrl.cluster) this.#askForNamed();
    this.#onAnswered();
  }
}

function keep(kept: Map<string, Map<string, string>>, type: string, resource: Uint8Array): void {
  const reader = new BinaryReader(resource);
  let name = "";
  let version = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 3) name = reader.string();
    else if (field === 1) version = reader.string();
    else reader.skip(wireType);
  }
  let versions = kept.get(type);
  if (!versions) {
    versions = new Map();
    kept.set(type, versions);
  }
  versions.set(name, version);
}
