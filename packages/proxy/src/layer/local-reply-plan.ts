import type { HeaderEdits } from "../route/header-edits.ts";
import type { Exchange } from "./exchange.ts";

/** A body made for each answer. @see envoy.config.core.v3.SubstitutionFormatString */
export interface BodyFormat {
  readonly contentType: string;
  /** JSON, which is rendered as a line with its end. */
  readonly endsLine: boolean;
  render(exchange: Exchange): string;
}

/** What becomes of answers made here. @see envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig */
export interface LocalReplyPlan {
  /** The first that matches counts. */
  readonly mappers: readonly LocalReplyMapper[];
  /** Undefined sends bodies as they are. */
  readonly format: BodyFormat | undefined;
}

export interface LocalReplyMapper {
  matches(exchange: Exchange): boolean;
  readonly status: number | undefined;
  readonly body: Buffer | undefined;
  readonly edits: HeaderEdits | undefined;
  /** In place of the plan's. */
  readonly format: BodyFormat | undefined;
}
