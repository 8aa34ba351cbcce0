/** Text that is not the PEM it should be. */
export class PemError extends Error {
  override readonly name = "PemError";
}

const block = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----/y;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The DER of every block, in order. Every block must be of this type, and
 * between the blocks there may be only white space: what a person pasted
 * beside a certificate is an error here, never skipped.
 *
 * @throws PemError
 */
export function decodePem(
  text: string,
  type: string,
  limits: { readonly maxBytes: number; readonly maxBlocks: number },
): Buffer[] {
  if (text.length > limits.maxBytes) throw new PemError(`the PEM is longer than ${limits.maxBytes} bytes`);
  const found: Buffer[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    block.lastIndex = at;
    const match = block.exec(text);
    if (!match) throw new PemError(`no PEM block at character ${at + 1}`);
    if (match[1] !== type) throw new PemError(`a PEM block of type ${match[1]} where ${type} belongs`);
    if (found.length === limits.maxBlocks) throw new PemError(`more than ${limits.maxBlocks} PEM blocks`);
    const content = match[2]!.replace(/[ \t\r\n]+/g, "");
    if (content === "" || content.length % 4 !== 0 || !base64.test(content))
      throw new PemError("a PEM block that is not base64");
    found.push(Buffer.from(content, "base64"));
    at = skipSpace(text, block.lastIndex);
  }
  return found;
}

export function encodePem(der: Buffer, type: string): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${type}-----\n${lines.join("\n")}\n-----END ${type}-----\n`;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at]!)) at += 1;
  return at;
}
