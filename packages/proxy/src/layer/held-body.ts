import type { BodySink } from "./body-stage.ts";
import type { HeaderList } from "./header-list.ts";

/** What came of a body before it could be handed on. */
export class HeldBody {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  /** Whether the last part is here. */
  isComplete = false;
  trailers: HeaderList | undefined = undefined;

  add(chunk: Buffer, end: boolean): void {
    // An empty last part is kept where there is no other to carry the end.
    if (chunk.length > 0 || (end && this.chunks.length === 0)) this.chunks.push(Buffer.from(chunk));
    this.bytes += chunk.length;
    if (end) this.isComplete = true;
  }

  addTrailers(trailers: HeaderList): void {
    this.trailers = trailers;
    this.isComplete = true;
  }

  /** Hands everything on, until `isStopped` says that nobody wants it any more. */
  deliver(sink: BodySink, isStopped: () => boolean): void {
    const hasEnd = this.isComplete && !this.trailers;
    const last = this.chunks.length - 1;
    for (let i = 0; i <= last; i++) {
      if (isStopped()) return;
      sink.onData(this.chunks[i]!, hasEnd && i === last);
    }
    if (this.trailers && !isStopped()) sink.onTrailers(this.trailers);
  }
}
