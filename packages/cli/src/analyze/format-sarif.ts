import type { Diagnostic, Severity } from "@weft/base/diagnostics";
import { productVersion } from "../product-version.ts";

const levels: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "note" };

/**
 * Findings for code scanning: one rule for each code, one result for each
 * finding. What has no place in a file is a result without a location.
 *
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/
 */
export function formatSarif(diagnostics: readonly Diagnostic[]): object {
  const codes = [...new Set(diagnostics.map(({ code }) => code))].sort();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: { name: "weft analyze", version: productVersion, rules: codes.map((id) => ({ id })) },
        },
        columnKind: "unicodeCodePoints",
        results: diagnostics.map((diagnostic) => ({
          ruleId: diagnostic.code,
          ruleIndex: codes.indexOf(diagnostic.code),
          level: levels[diagnostic.severity],
          message: {
            text: diagnostic.hint ? `${diagnostic.message} (${diagnostic.hint})` : diagnostic.message,
          },
          ...placesOf(diagnostic),
        })),
      },
    ],
  };
}

function placesOf({ origin, other }: Diagnostic) {
  return {
    ...(origin && { locations: [location(origin)] }),
    ...(other && { relatedLocations: [location(other)] }),
  };
}

function location({ file, line, column }: NonNullable<Diagnostic["origin"]>) {
  const uri = file.split("/").map(encodeURIComponent).join("/");
  return {
    physicalLocation: { artifactLocation: { uri }, region: { startLine: line, startColumn: column } },
  };
}
