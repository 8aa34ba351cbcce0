/**
 * What is tried on the API from elsewhere by those who are no operators: each is
 * refused before anything of the mesh is said. Prints what became of each.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { certificateCases, foreignRequests, tokenCases } from "@weft/control/access/test-remote-attacks";
import { remotePlane } from "@weft/control/access/test-remote-plane";
import { OutcomeTable } from "./attack.ts";

type Plane = Awaited<ReturnType<typeof remotePlane>>;
type Shown = Parameters<Plane["ask"]>[2];

const table = new OutcomeTable();
after(() => console.log(`\n${table}\n`));

const areas: readonly (readonly [
  string,
  readonly (readonly [string, number, (plane: Plane) => Promise<Shown>])[],
])[] = [
  [
    "bearer token",
    tokenCases.map(([what, make, status]) => [
      what,
      status,
      async (plane) => ({ headers: { authorization: `Bearer ${await make(plane)}` } }),
    ]),
  ],
  [
    "client certificate",
    certificateCases.map(([what, make, status]) => [
      what,
      status,
      async (plane) => ({ tls: await make(plane) }),
    ]),
  ],
  [
    "an administrator's browser",
    foreignRequests.map(([what, headers, status]) => [
      what,
      status,
      async ({ ca, shown }) => ({ tls: shown(ca.leaf("ops", "ada")), headers }),
    ]),
  ],
];

for (const [area, cases] of areas) {
  describe(`the API, shown a ${area}`, () => {
    for (const [what, expected, make] of cases.filter(([, status]) => status !== 200)) {
      it(`refuses ${what}`, async (t) => {
        // One of its own for each, so that guessing is not what is refused.
        const plane = await remotePlane(t);
        const { status, body } = await plane.ask("GET", "/api/v1/status", await make(plane));
        const said = JSON.stringify(body);
        table.add({ area, what }, "API", {
          how: `${status}`,
          bytes: /trustDomain/.test(said) ? said.length : 0,
        });
        assert.equal(status, expected, said);
        assert.doesNotMatch(said, /trustDomain/);
      });
    }
  });
}
