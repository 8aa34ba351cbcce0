import type { XdsResource } from "../snapshot.ts";

interface Piece {
  readonly resources: readonly XdsResource[];
  readonly bytes: Uint8Array;
}

/** Resources in one piece: few enough that clients with something of their own share most pieces. */
const pieceResources = 64;
/** Fewer resources than this are what a change consists of: each is a piece already. */
const minShared = 8;

/**
 * Encoded runs of resources, shared by the clients that get the same ones in
 * the same order. When thousands of clients load their first configuration,
 * their responses are mostly the very same bytes in memory.
 *
 * Holds at most `maxBytes`; the piece that was wanted longest ago goes first.
 */
export class SharedPieces {
  readonly #maxBytes: number;
  readonly #pieces = new Map<string, Piece>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The encoded resources, in order; nobody may write to them. */
  of(resources: readonly XdsResource[], encode: (resource: XdsResource) => Uint8Array): Uint8Array[] {
    if (resources.length < minShared) return resources.map(encode);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < resources.length; at += pieceResources) {
      pieces.push(this.#piece(resources.slice(at, at + pieceResources), encode));
    }
    return pieces;
  }

  #piece(resources: readonly XdsResource[], encode: (resource: XdsResource) => Uint8Array): Uint8Array {
    const key = `${resources[0]!.version} ${resources.at(-1)!.version} ${resources.length}`;
    const known = this.#pieces.get(key);
    if (known) this.#pieces.delete(key);
    const isKnown = known?.resources.every((resource, i) => resource === resources[i]) ?? false;
    const piece = isKnown ? known! : { resources, bytes: Buffer.concat(resources.map(encode)) };
    this.#pieces.set(key, piece);
    if (piece !== known) this.#bytes += piece.bytes.length - (known?.bytes.length ?? 0);
    for (const [oldest, { bytes }] of this.#pieces) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#pieces.delete(oldest);
      this.#bytes -= bytes.length;
    }
    return piece.bytes;
  }
}
