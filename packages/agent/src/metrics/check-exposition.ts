import type { ExpositionFormat } from "@weft/base/exposition";

const sample =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+([+-]?(?:\d[\d.eE+-]*|\.\d[\deE+-]*|Inf|inf|NaN|nan))(?:[ \t].*)?$/;
const about = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)/;
/** Names that the sidecar's own page has. */
const reserved = /^(?:istio|envoy|weft)_/;

/**
 * The lines of a page that may stand beside a sidecar's own, each with its end,
 * without comments and metrics that go by the sidecar's names. Undefined where
 * a line is no metric, or OpenMetrics ends without its mark.
 */
export function checkExposition(body: string, format: ExpositionFormat): string | undefined {
  const lines = body.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (format === "openmetrics" && lines.pop() !== "# EOF") return undefined;
  let text = "";
  for (const line of lines) {
    const name = line.startsWith("#") ? about.exec(line)?.[2] : sample.exec(line)?.[1];
    if (name === undefined) {
      // Free comments and empty lines mean nothing in text, and are none of OpenMetrics.
      if (format === "text" && (line.trim() === "" || line.startsWith("#"))) continue;
      return undefined;
    }
    if (!reserved.test(name)) text += `${line}\n`;
  }
  return text;
}
