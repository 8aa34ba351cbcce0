import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import {
  formatJoinToken,
  hashJoinToken,
  JoinTokenError,
  newJoinToken,
  parseJoinToken,
} from "./join-token.ts";

const pin = "A".repeat(43);

test("a token is read back as it was made, also from a file that ends with a newline", () => {
  const token = newJoinToken(pin);
  assert.deepEqual(parseJoinToken(formatJoinToken(token)), token);
  assert.deepEqual(parseJoinToken(`${formatJoinToken(token)}\n`), token);
  assert.match(formatJoinToken(token), /^weft-join-v1\.[0-9a-f]{16}\.[\w-]{43}\.[\w-]{43}$/);
});

test("two tokens never have the same id, secret or hash", () => {
  const [a, b] = [newJoinToken(pin), newJoinToken(pin)];
  assert.notEqual(a.id, b.id);
  assert.notEqual(a.secret, b.secret);
  assert.notDeepEqual(hashJoinToken(a), hashJoinToken(b));
  assert.notDeepEqual(hashJoinToken(a), hashJoinToken({ ...a, id: b.id }));
});

test("a text that is no token is refused with the next step and without repeating it", () => {
  const good = formatJoinToken(newJoinToken(pin));
  const cases: readonly [string, RegExp][] = [
    ["", /not a join token/],
    ["secret-of-something-else", /not a join token/],
    [good.slice(0, -1), /cut off/],
    [`${good}x`, /cut off/],
    [good.replace("v1", "v2"), /only weft-join-v1/],
    [good.replace("weft", "WEFT"), /not a join token/],
    ["x".repeat(10_000), /not a join token/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseJoinToken(text),
      (error) =>
        error instanceof JoinTokenError &&
        message.test(error.message) &&
        (text.length < 20 || !error.message.includes(text)),
      text,
    );
  }
});

test("any text is a token or a JoinTokenError", () => {
  const near = fc.array(fc.constantFrom("weft-join-v1", ".", "0123456789abcdef", pin, "=", "\n"), {
    maxLength: 9,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        near.map((parts) => parts.join("")),
      ),
      (text) => {
        try {
          assert.equal(formatJoinToken(parseJoinToken(text)), text.trim());
        } catch (error) {
          assert.ok(error instanceof JoinTokenError);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
