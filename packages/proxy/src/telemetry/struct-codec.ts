/**
 * The wire form of `google.protobuf.Struct`, as far as peer metadata needs it:
 * strings and nested structs. Written by hand because the request path must not
 * load a protobuf runtime; numbers, lists and nulls are skipped when read.
 */
export type StructValue = string | { readonly [key: string]: StructValue };

const maxDepth = 8;

/** Encodes `fields` as a Struct. */
export function encodeStruct(fields: { readonly [key: string]: StructValue }): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(fields)) {
    const encodedValue =
      typeof value === "string"
        ? delimited(3, Buffer.from(value, "utf8"))
        : delimited(5, encodeStruct(value));
    parts.push(
      delimited(1, Buffer.concat([delimited(1, Buffer.from(key, "utf8")), delimited(2, encodedValue)])),
    );
  }
  return Buffer.concat(parts);
}

/** Decodes a Struct, or undefined when `bytes` is not one or nests too deep. */
export function decodeStruct(bytes: Buffer, depth = 0): Map<string, StructOrString> | undefined {
  if (depth > maxDepth) return undefined;
  const fields = new Map<string, StructOrString>();
  const isWhole = eachField(bytes, (number, entry) => {
    if (number !== 1) return true;
    let key = "";
    let value: StructOrString | undefined;
    const isEntryWhole = eachField(entry, (entryNumber, content) => {
      if (entryNumber === 1) key = content.toString("utf8");
      else if (entryNumber === 2) {
        return eachField(content, (kind, payload) => {
          if (kind === 3) value = payload.toString("utf8");
          else if (kind === 5) {
            value = decodeStruct(payload, depth + 1);
            if (value === undefined) return false;
          }
          return true;
        });
      }
      return true;
    });
    if (value !== undefined) fields.set(key, value);
    return isEntryWhole;
  });
  return isWhole ? fields : undefined;
}

export type StructOrString = string | Map<string, StructOrString>;

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Visits length-delimited fields, steps over others; false as soon as the bytes make no sense. */
function eachField(bytes: Buffer, visit: (field: number, content: Buffer) => boolean): boolean {
  let at = 0;
  let value = 0;
  const readVarint = (): boolean => {
    value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return false;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return true;
    }
    return false;
  };
  while (at < bytes.length) {
    if (!readVarint()) return false;
    const field = Math.floor(value / 8);
    switch (value % 8) {
      case 0:
        if (!readVarint()) return false;
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        if (!readVarint() || at + value > bytes.length) return false;
        const content = bytes.subarray(at, at + value);
        at += value;
        if (!visit(field, content)) return false;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        return false;
    }
    if (at > bytes.length) return false;
  }
  return true;
}
