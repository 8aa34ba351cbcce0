/** Control characters of what was asked, sent or configured must not reach the terminal. */
export function printable(line: string): string {
  return line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
