import type { Socket } from "node:net";

/**
 * The part of Node's stream handle the request path uses directly: it reads
 * into one shared buffer and writes without a stream's bookkeeping, which saves
 * a fifth of the CPU of a small request (measured). Sockets stay ordinary
 * `net.Socket`s for everything else: connecting, TLS, closing.
 */
export interface StreamHandle {
  readonly fd: number;
  onread: (() => void) | null;
  reading: boolean;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, data: Uint8Array): number;
  writev(request: WriteRequest, chunks: Uint8Array[], allBuffers: true): number;
}

export interface WriteRequest {
  handle: StreamHandle;
  oncomplete: (this: WriteRequest, status: number) => void;
  /** The connection it belongs to, which keeps the memory alive while the kernel has not taken it all. */
  connection: unknown;
  /** Memory of others that is being sent: kept alive likewise. */
  lent?: Buffer | undefined;
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

/** Undefined where the runtime does not offer the binding; connections then use the socket's stream interface. */
export const streamBinding: StreamBinding | undefined = loadBinding();

function loadBinding(): StreamBinding | undefined {
  try {
    const load = (process as unknown as { binding?: (name: string) => Partial<StreamBinding> }).binding;
    const binding = load?.call(process, "stream_wrap");
    const isUsable =
      typeof binding?.WriteWrap === "function" &&
      binding.streamBaseState !== undefined &&
      typeof binding.kReadBytesOrError === "number" &&
      typeof binding.kLastWriteWasAsync === "number";
    return isUsable ? (binding as StreamBinding) : undefined;
  } catch {
    return undefined;
  }
}

/** The socket's handle when it can be driven directly. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle;
  if (!streamBinding || !handle) return undefined;
  const isUsable =
    typeof handle.useUserBuffer === "function" &&
    typeof handle.readStart === "function" &&
    typeof handle.writeBuffer === "function" &&
    typeof handle.writev === "function";
  return isUsable ? (handle as StreamHandle) : undefined;
}

/**
 * The write requests of one connection, which has one write under way at a
 * time: at most two, whatever is written. Needs `streamBinding`.
 *
 * A request whose write the kernel took at once serves the next write. One that
 * completed later, as every write by TLS does, belongs to the runtime until its
 * completion has returned; that has surely happened when the next one completes.
 */
export class WriteRequests {
  #free: WriteRequest | undefined = undefined;
  #completed: WriteRequest | undefined = undefined;

  next(handle: StreamHandle, connection: unknown, oncomplete: WriteRequest["oncomplete"]): WriteRequest {
    if (this.#free) return this.#free;
    const request = new streamBinding!.WriteWrap();
    request.handle = handle;
    request.oncomplete = oncomplete;
    request.connection = connection;
    this.#free = request;
    return request;
  }

  /** The write by the latest `next` is under way. */
  taken(): void {
    this.#free = undefined;
  }

  /** A write that was under way is over, and this is called by its completion. */
  completed(request: WriteRequest): void {
    if (request.lent) request.lent = undefined;
    this.#free ??= this.#completed;
    this.#completed = request;
  }
}
