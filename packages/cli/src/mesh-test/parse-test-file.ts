import { UserError } from "@weft/base/errors";
import { didYouMean } from "@weft/control/config/suggest";
import type { MeshTest } from "./mesh-test.ts";

type Check = (value: unknown, path: string, wrong: Wrong) => void;
/** Reports one mistake at its path. */
export type Wrong = (path: string, message: string) => void;

const text: Check = (value, path, wrong) => {
  if (typeof value !== "string") wrong(path, "is no text: write it in quotes");
};
const number: Check = (value, path, wrong) => {
  if (typeof value !== "number" || !Number.isFinite(value)) wrong(path, "is no number");
};
const word =
  (...words: readonly string[]): Check =>
  (value, path, wrong) => {
    if (typeof value === "string" && words.includes(value)) return;
    wrong(path, `is none of ${words.join(", ")}`);
  };
const list =
  (item: Check): Check =>
  (value, path, wrong) => {
    if (!Array.isArray(value)) return wrong(path, "is no list");
    value.forEach((one, i) => {
      item(one, `${path}[${i}]`, wrong);
    });
  };
const map =
  (item: Check): Check =>
  (value, path, wrong) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(path, "is no map");
    for (const [key, one] of Object.entries(value)) item(one, join(path, key), wrong);
  };
const either =
  (test: (value: unknown) => boolean, first: Check, second: Check): Check =>
  (value, path, wrong) =>
    (test(value) ? first : second)(value, path, wrong);
const fields =
  (known: Readonly<Record<string, Check>>, required: readonly string[] = []): Check =>
  (value, path, wrong) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(path, "is no map");
    for (const [key, one] of Object.entries(value)) {
      const check = Object.hasOwn(known, key) ? known[key] : undefined;
      if (check) check(one, join(path, key), wrong);
      else
        wrong(
          join(path, key),
          `is no field; ${didYouMean(key, Object.keys(known)) ?? Object.keys(known).join(", ")}`,
        );
    }
    for (const key of required) if (!Object.hasOwn(value, key)) wrong(path, `has no ${key}`);
  };

const isText = (value: unknown) => typeof value === "string";
const results = word("forwarded", "answered", "denied", "refused", "undecided");
const expectation = fields({
  result: results,
  destinations: list(fields({ host: text, subset: text, port: number, percent: number }, ["host"])),
  status: number,
  details: text,
  flags: text,
  route: text,
  policy: text,
  location: text,
  body: text,
  timeout: text,
  retries: either(
    (value) => typeof value === "number",
    number,
    fields({ attempts: number, perTryTimeout: text, on: list(text) }),
  ),
  fault: either(
    isText,
    word("none"),
    fields({ delay: text, delayPercent: number, abort: number, abortPercent: number }),
  ),
  mirrors: map(number),
  host: text,
  path: text,
  headers: map(
    either(
      (value) => value === null,
      () => {},
      text,
    ),
  ),
  responseHeaders: map(text),
  tls: word("mutual", "tls", "none"),
});

/** What makes a test. */
export const checkTest = fields(
  {
    name: text,
    from: text,
    to: text,
    method: text,
    headers: map(text),
    expect: either(isText, results, expectation),
  },
  ["from", "to", "expect"],
);

const checkFile = fields({ mesh: list(text), trustDomain: text, tests: list(checkTest) }, ["tests"]);

export interface TestFile {
  readonly mesh?: readonly string[];
  readonly trustDomain?: string;
  readonly tests: readonly MeshTest[];
}

/**
 * Takes a value for a test file.
 *
 * @param placeOf where a path of it was written
 * @throws UserError with every mistake and its place
 */
export function asTestFile(value: unknown, placeOf: (path: string) => string): TestFile {
  const found: string[] = [];
  checkFile(value, "", (path, message) => found.push(`${placeOf(path)}: ${path || "the file"} ${message}`));
  if (found.length > 0)
    throw new UserError(found.join("\n"), { hint: "see docs/test-your-mesh.md", exitCode: 2 });
  return value as TestFile;
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
