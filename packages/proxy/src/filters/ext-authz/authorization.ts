import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import type { Callout } from "../callout.ts";

/** What an authorization service is asked. */
export interface AuthorizationRequest {
  readonly exchange: FilterExchange;
  /** The request's body as far as it was buffered; undefined where it was not. */
  readonly body: Buffer | undefined;
  /** Whether more follows. */
  readonly isPartial: boolean;
  /** Request headers the service may see, flat; pseudo-headers are not among them. */
  readonly headers: readonly string[];
  /** Names and values the configuration says of this route. */
  readonly context: Readonly<Record<string, string>>;
}

/** A field the service wants in the request or the answer. */
export interface AuthorizedField {
  readonly name: string;
  readonly value: string;
  /** `append` only adds to a field that is there; `add` always adds. */
  readonly action: "set" | "append" | "add" | "add-if-absent" | "set-if-exists";
}

/** What it answered. */
export type AuthorizationVerdict =
  | {
      readonly kind: "ok";
      readonly requestFields: readonly AuthorizedField[];
      readonly fieldsToRemove: readonly string[];
      /** For the response to the client. */
      readonly responseFields: readonly AuthorizedField[];
      readonly parametersToSet: readonly (readonly [name: string, value: string])[];
      readonly parametersToRemove: readonly string[];
      readonly metadata: ReadonlyMap<string, MetadataValue> | undefined;
    }
  | {
      readonly kind: "denied";
      readonly status: number;
      readonly fields: readonly AuthorizedField[];
      readonly body: Buffer;
      readonly metadata: ReadonlyMap<string, MetadataValue> | undefined;
    }
  /** No answer, or one that makes no sense. */
  | { readonly kind: "error" };

/** Asks a service; `onVerdict` is called exactly once unless cancelled, possibly before this returns. */
export type Authorize = (
  request: AuthorizationRequest,
  onVerdict: (verdict: AuthorizationVerdict) => void,
) => Callout;
