import type { HeaderList } from "../layer/header-list.ts";

/** What a request says of the trace it is part of; "" for ids it does not name. */
export interface ParentContext {
  /** 32 hexadecimal digits, or 16. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** The span before that. */
  readonly parentId: string;
  /** Undefined leaves the decision to whoever reads it. */
  readonly isSampled: boolean | undefined;
  /** `tracestate`, in one line. */
  readonly traceState: string;
}

/** Where a span stands in its trace. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  /** "" begins the trace. */
  readonly parentId: string;
  /** The span is one with the caller's. */
  readonly isShared: boolean;
}

/** How one request tells the next proxy of its trace. */
export interface Propagation {
  /** Undefined where there is no context, or none that can be trusted: a new trace begins. */
  read(headers: HeaderList): ParentContext | undefined;
  /** A span below `parent`; `isServer` may share its caller's. */
  span(parent: ParentContext | undefined, isServer: boolean): SpanContext;
  /** `isChosen` is this hop's own decision. */
  isSampled(parent: ParentContext | undefined, isChosen: boolean): boolean;
  /** Makes what is sent a child of this span. */
  write(headers: HeaderList, span: SpanContext, isSampled: boolean, parent: ParentContext | undefined): void;
  /** Keeps what is sent part of its trace, but not of what is recorded of it. */
  removeSampling(headers: HeaderList): void;
}
