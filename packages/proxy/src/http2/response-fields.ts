import { FieldKind, fieldName } from "../http1/field-names.ts";
import { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import { badValue } from "./request-fields.ts";

/** A response head as HTTP/2 carried it. */
export interface Http2ResponseHead extends ResponseHead {
  /** -1 when there is no `content-length`. */
  readonly contentLength: number;
}

const statusPattern = /^[1-9][0-9][0-9]$/;
/** Fields about an HTTP/1 connection. @see RFC 9113 §8.2.2 */
const connectionKinds: ReadonlySet<number> = new Set([
  FieldKind.Connection,
  FieldKind.TransferEncoding,
  FieldKind.Upgrade,
  FieldKind.HopByHop,
  FieldKind.Te,
]);
const digits = /^[0-9]{1,15}$/;

/** The response that a list of decoded fields makes, or undefined when it is malformed. @see RFC 9113 §8.3.2 */
export function parseResponseFields(flat: readonly string[]): Http2ResponseHead | undefined {
  // 101 does not exist in HTTP/2.
  if (flat[0] !== ":status" || !statusPattern.test(flat[1]!) || flat[1] === "101") return undefined;
  const out: string[] = [];
  let contentLength = -1;
  for (let i = 2; i < flat.length; i += 2) {
    const value = flat[i + 1]!;
    const field = fieldName(flat[i]!);
    if (!field || field.name !== flat[i] || badValue.test(value)) return undefined;
    if (field.kind === FieldKind.ContentLength) {
      if (contentLength >= 0 || !digits.test(value)) return undefined;
      contentLength = Number(value);
    } else if (connectionKinds.has(field.kind)) return undefined;
    out.push(field.name, value);
  }
  return { status: Number(flat[1]), headers: new HeaderList(out), contentLength };
}
