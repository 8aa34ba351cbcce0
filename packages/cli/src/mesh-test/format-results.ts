import { hasFailed, type SuiteResult, type TestResult } from "./run-suites.ts";

export type ResultFormat = "text" | "tap" | "junit";

/** Results as people, TAP readers or CI servers take them. */
export const formatResults: Readonly<Record<ResultFormat, (suites: readonly SuiteResult[]) => string>> = {
  text: formatText,
  tap: formatTap,
  junit: formatJunit,
};

function formatText(suites: readonly SuiteResult[]): string {
  const lines = suites.flatMap(({ file, results }) => [
    file,
    ...results.flatMap((result) =>
      hasFailed(result)
        ? [`  ✗ ${result.name}  ${result.place}`, ...explain(result).map((line) => `      ${line}`)]
        : [`  ✓ ${result.name}`],
    ),
  ]);
  return `${lines.map(printable).join("\n")}\n`;
}

/** @see https://testanything.org/tap-version-14-specification.html */
function formatTap(suites: readonly SuiteResult[]): string {
  const all = suites.flatMap(({ file, results }) => results.map((result) => ({ file, result })));
  const lines = all.flatMap(({ file, result }, i) => {
    const name = printable(`${file}: ${result.name}`).replace(/[\\#]/g, (sign) => `\\${sign}`);
    if (!hasFailed(result)) return [`ok ${i + 1} - ${name}`];
    const details = explain(result).map((line) => `    ${JSON.stringify(printable(line))}`);
    return [
      `not ok ${i + 1} - ${name}`,
      "  ---",
      `  at: ${JSON.stringify(printable(result.place))}`,
      "  because: [",
      details.join(",\n"),
      "  ]",
      "  ...",
    ];
  });
  return `TAP version 14\n1..${all.length}\n${lines.map((line) => `${line}\n`).join("")}`;
}

function formatJunit(suites: readonly SuiteResult[]): string {
  const xml = suites.map(({ file, results }) => {
    const failures = results.filter(hasFailed).length;
    const cases = results.map((result) => {
      const open = `    <testcase classname="${escapeXml(file)}" name="${escapeXml(result.name)}" time="${seconds(result)}"`;
      if (!hasFailed(result)) return `${open}/>\n`;
      const text = explain(result).join("\n");
      return `${open}>\n      <failure message="${escapeXml(result.place)}">${escapeXml(text)}</failure>\n    </testcase>\n`;
    });
    const head = `  <testsuite name="${escapeXml(file)}" tests="${results.length}" failures="${failures}">\n`;
    return `${head}${cases.join("")}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${xml.join("")}</testsuites>\n`;
}

/** What is wrong, and who decided it. */
function explain({ mismatches, error, decidedBy }: TestResult): string[] {
  return [
    ...(error === undefined ? [] : error.split("\n")),
    ...mismatches.map(({ what, expected, found }) => `${what}: expected ${expected}, found ${found}`),
    ...decidedBy.map((place) => `decided by ${place}`),
  ];
}

function seconds({ durationMs }: TestResult): string {
  return (durationMs / 1000).toFixed(4);
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** For XML: what may not stand in it is left out. */
function escapeXml(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}
