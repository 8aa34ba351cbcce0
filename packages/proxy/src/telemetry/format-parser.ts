/** A part of a format string: literal text, or a command such as `%REQ(X?Y):10%`. */
export type FormatPart =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "command";
      readonly name: string;
      /** Between the parentheses; undefined when there are none. */
      readonly argument: string | undefined;
      readonly maxLength: number | undefined;
    };

const command = /^%([A-Z][A-Z0-9_]*)(?:\(([^)]*)\))?(?::(\d{1,9}))?%/;

/**
 * Splits a format string into text and commands; `%%` is a percent sign.
 *
 * @throws SyntaxError naming the column where it cannot be read.
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/advanced/substitution_formatter
 */
export function parseFormat(format: string): FormatPart[] {
  const parts: FormatPart[] = [];
  let text = "";
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent < 0) {
      text += format.slice(at);
      break;
    }
    text += format.slice(at, percent);
    if (format[percent + 1] === "%") {
      text += "%";
      at = percent + 2;
      continue;
    }
    const match = command.exec(format.slice(percent));
    if (!match) {
      throw new SyntaxError(
        `column ${percent + 1} of ${JSON.stringify(format)} begins no command operator such as %REQ(:PATH)%; write %% for a percent sign`,
      );
    }
    if (text !== "") parts.push({ kind: "text", text });
    text = "";
    const [whole, name, argument, length] = match;
    parts.push({
      kind: "command",
      name: name!,
      argument,
      maxLength: length === undefined ? undefined : Number(length),
    });
    at = percent + whole.length;
  }
  if (text !== "") parts.push({ kind: "text", text });
  return parts;
}
