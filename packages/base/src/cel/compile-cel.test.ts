import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CelScope, CelType, CelValue } from "./cel-type.ts";
import { compileCel } from "./compile-cel.ts";

const types: Readonly<Record<string, CelType>> = {
  "response.code": "int",
  "request.host": "string",
  "request.headers": "map",
  "request.size": "int",
  "connection.mtls": "bool",
};
type Values = Readonly<Record<string, CelValue>>;

const scope: CelScope<Values> = {
  attribute: (name) => {
    const type = types[name];
    return type && { type, read: (values) => values[name] };
  },
  isPrefix: (name) => Object.keys(types).some((known) => known.startsWith(`${name}.`)),
  makesText: true,
  regex(pattern) {
    const regex = new RegExp(pattern);
    return (text) => regex.test(text);
  },
};

const request: Values = {
  "response.code": 503,
  "request.host": "reviews:9080",
  "request.headers": new Map([["x-tenant", "red"]]),
  "connection.mtls": true,
};

describe("an expression", () => {
  const cases: readonly [text: string, expected: CelValue | undefined][] = [
    ["response.code >= 400", true],
    ["response.code >= 500 && response.code < 503", false],
    ["connection.mtls && request.host.contains('9080')", true],
    ["!(connection.mtls || response.code == 200)", false],
    ["request.headers['x-tenant'] == \"red\"", true],
    ["request.headers.missing == 'a' || connection.mtls", true],
    ["request.headers.missing == 'a' && connection.mtls", undefined],
    ["'x-tenant' in request.headers", true],
    ["response.code in [500, 503]", true],
    ["response.code in []", false],
    ["has(request.size)", false],
    ["!has(request.size) || request.size > 10", true],
    ["request.size > 10", undefined],
    ["request.host.matches('^rev.*:[0-9]+$')", true],
    ["string(response.code) + '/' + request.host", "503/reviews:9080"],
    ["response.code / 100", 5],
    ["-7 / 2 + 7 % 4 * 2", 3],
    ["1 - 2 - 3 == -4 && 0.5 < 1", true],
    ["response.code / 0", undefined],
    ["response.code == 503 ? 'bad' : 'good'", "bad"],
    ["int('12') + size('äb') + size([1, 2])", 16],
    ["int('a')", undefined],
    ["'a\\n\\x41\\u00e4'", "a\nAä"],
    ["true || response.code / 0 == 1", true],
  ];
  for (const [text, expected] of cases) {
    it(`${text} gives ${String(expected)}`, () => {
      assert.equal(compileCel(text, scope).evaluate(request), expected);
    });
  }
});

describe("an expression is refused", () => {
  const cases: readonly [text: string, expected: RegExp][] = [
    ["", /ends too early/],
    ["response.code >= ", /ends too early, at character 18/],
    ["response.cod == 1", /no attribute response\.cod/],
    ["response == 1", /response is not a value/],
    ["response.code == 'a'", /== does not take int and string/],
    ["request.host && true", /&& does not take string and bool/],
    ["{'a': 1}", /maps are not supported/],
    ["1u == 1", /unsigned numbers/],
    ["b'a' == b'a'", /bytes/],
    ["timestamp('2026-01-01T00:00:00Z')", /function timestamp with 1 arguments is not supported/],
    ["[1, 2].exists(x, x == 1)", /function exists with 2 arguments is not supported/],
    ["request.host.matches(request.host)", /one pattern, written out/],
    ["request.host.matches('(')", /not a pattern/],
    ["has(response)", /takes one field/],
    ["[1, 'a']", /a list of int has string in it/],
    ["response.code; 1", /no part of an expression/],
    ["response.code == 1 1", /"1" is not expected/],
    [`${"(".repeat(40)}1${")".repeat(40)}`, /nested deeper/],
    [`${"!".repeat(40)}true`, /nested deeper/],
    ["a".repeat(5_000), /longer than/],
  ];
  for (const [text, expected] of cases) {
    it(`where it is ${text.slice(0, 40)}`, () => {
      assert.throws(() => compileCel(text, scope), expected);
    });
  }

  for (const text of ["string(response.code) == '1'", "request.host + 'a' == 'b'"]) {
    it(`where text may not be made: ${text}`, () => {
      assert.throws(() => compileCel(text, { ...scope, makesText: false }), /not supported here/);
    });
  }

  it("or compiled, and never anything else, whatever it is made of", () => {
    const parts = [
      "response.code",
      "==",
      "1",
      "(",
      ")",
      "'a'",
      "[",
      "]",
      "!",
      "&&",
      "in",
      "has",
      ".",
      ",",
      "?",
      ":",
      "-",
    ];
    let seed = 7;
    const next = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed;
    };
    for (let i = 0; i < 5_000; i++) {
      const text = Array.from({ length: 1 + (next() % 9) }, () => parts[next() % parts.length]).join(" ");
      try {
        compileCel(text, scope).evaluate(request);
      } catch (error) {
        assert.equal((error as Error).name, "CelError", `${text}: ${error}`);
      }
    }
  });
});
