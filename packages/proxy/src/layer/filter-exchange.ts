import type { BodyStage } from "./body-stage.ts";
import type { Exchange } from "./exchange.ts";

/**
 * What a filter may do with an exchange beyond reading it and answering.
 *
 * Bodies stream past filters that do not ask for them. One that does says so in
 * `onRequest` or `onResponse`, where the head has not been sent yet: it waits
 * for the whole request (`bufferRequest`), or changes a body as it passes
 * (`addRequestStage`, `addResponseStage`) and edits the head to match.
 */
export interface FilterExchange extends Exchange {
  /** The cluster its route has chosen, whether or not there is one of that name. */
  readonly clusterChoice: { readonly cluster: string } | undefined;
  /** Whether the request has a body: some of it is still to come, or waits here for the filters. */
  readonly hasRequestBody: boolean;
  /**
   * Holds the request until its body, as changed by the stages before, is
   * complete or larger than `maxBytes`; then calls `onBody` once, possibly
   * before returning. The filter answers "stop" and goes on with `resume`.
   */
  bufferRequest(maxBytes: number, onBody: (body: readonly Buffer[], isComplete: boolean) => void): void;
  addRequestStage(stage: BodyStage): void;
  addResponseStage(stage: BodyStage): void;
  /** A stage has as much as it can take; each pause is ended by one resume. */
  pauseRequestBody(): void;
  resumeRequestBody(): void;
  pauseResponseBody(): void;
  resumeResponseBody(): void;
  /** False while the client is slower than the response. */
  readonly isClientWritable: boolean;
  /** False while the upstream, or a filter, is slower than the request. */
  readonly isServerWritable: boolean;
  /** Continues a response that `onResponse` stopped. No effect once the exchange is over. */
  resumeResponse(): void;
  /** Chooses the route anew: what it was chosen by has been changed. The filters of the chain stay those of the first route. */
  refreshRoute(): void;
  /** Chooses the route of a request that had none yet; the filters behind that of this name are those of that route. */
  adoptRoute(filterName: string): void;
  /** As `reply`, with more fields (flat, name then value) and any body. */
  replyWith(
    status: number,
    body: Buffer,
    details: string,
    flags: number,
    fields: readonly string[] | undefined,
    grpcStatus?: number,
  ): void;
}
