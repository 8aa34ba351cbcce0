import assert from "node:assert/strict";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { it } from "node:test";
import { derSignature } from "./der-signature.ts";

for (const namedCurve of ["P-256", "P-384", "P-521"]) {
  it(`a signature over ${namedCurve} verifies in its other form, whatever its numbers begin with`, () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
    for (let i = 0; i < 300; i++) {
      const data = Buffer.from(`${i}`);
      const joined = sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" });
      assert.ok(verify("sha256", data, publicKey, derSignature(joined)));
    }
  });
}

it("numbers lose zeros at their beginning and gain one where they would be negative", () => {
  const joined = Buffer.from("00007f0000000080", "hex");
  assert.equal(Buffer.from(derSignature(joined)).toString("hex"), "300802027f0002020080");
});
