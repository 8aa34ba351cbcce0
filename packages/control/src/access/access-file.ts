import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf, UserError } from "@weft/base/errors";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { roles } from "../api/role.ts";
import { asked, choice, type Infer, list, optional, text } from "../api/schema.ts";

const names = list(text(undefined, { minLength: 1, maxLength: 2048 }), undefined, {
  minItems: 1,
  maxItems: 1000,
});

const namedRole = asked(undefined, { role: choice(roles), names });
export type NamedRole = Infer<typeof namedRole>;

const claimedRole = asked(undefined, {
  role: choice(roles),
  claim: optional(text(undefined, { minLength: 1 })),
  values: optional(names),
});

const namedRoles = list(namedRole, undefined, { minItems: 1, maxItems: 1000 });

const issuer = asked(undefined, {
  issuer: text(undefined, { pattern: "^https?://[^/]" }),
  audience: text(undefined, { minLength: 1 }),
  jwksUri: optional(text(undefined, { pattern: "^https?://[^/]" })),
  name: optional(text(undefined, { minLength: 1 })),
  roles: list(claimedRole, undefined, { minItems: 1, maxItems: 1000 }),
});
export type TokenIssuer = Infer<typeof issuer>;

const accessFile = asked(undefined, {
  hosts: optional(list(text(undefined, { pattern: "^[A-Za-z0-9.:-]+$" }), undefined, { maxItems: 100 })),
  certificates: optional(asked(undefined, { ca: text(), roles: namedRoles })),
  mesh: optional(asked(undefined, { roles: namedRoles })),
  tokens: optional(list(issuer, undefined, { minItems: 1, maxItems: 20 })),
});

/** Who may use the API from elsewhere, and as what. */
export interface AccessRules extends Omit<Infer<typeof accessFile>, "certificates"> {
  /** PEM of the roots of operators' certificates, and which names get which role. */
  readonly certificates?: { readonly caPem: string; readonly roles: readonly NamedRole[] };
}

/**
 * Reads `--api-users`: all of it is checked, and what is not known in it is an error.
 *
 * @throws UserError that names the file and the place
 */
export function readAccessFile(file: string): AccessRules {
  const fail = (problem: string, cause?: unknown): UserError =>
    new UserError(`--api-users ${file}: ${problem}`, {
      hint: "docs/operators.md shows what is in it",
      exitCode: 2,
      cause,
    });
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"), { maxAliasCount: 0 });
  } catch (error) {
    throw fail(messageOf(error), error);
  }
  const validate = new Ajv({ strict: false }).compile<Infer<typeof accessFile>>(accessFile);
  if (!validate(value)) {
    const { instancePath, message, params } = validate.errors![0]!;
    const more = "additionalProperty" in params ? ` (${params.additionalProperty})` : "";
    throw fail(`${instancePath.slice(1).replaceAll("/", ".") || "the file"} ${message}${more}`);
  }
  const { certificates, ...rest } = value;
  if (!certificates && !rest.mesh && !rest.tokens) {
    throw fail("nobody may do anything: there is none of certificates, mesh and tokens");
  }
  for (const { roles: claimed, issuer: name } of rest.tokens ?? []) {
    const half = claimed.find(({ claim, values }) => (claim === undefined) !== (values === undefined));
    if (half) throw fail(`tokens of ${name}: a role by claim has both claim and values`);
  }
  if (!certificates) return rest;
  const ca = resolve(dirname(file), certificates.ca);
  try {
    return { ...rest, certificates: { caPem: readFileSync(ca, "utf8"), roles: certificates.roles } };
  } catch (error) {
    throw fail(`certificates.ca: ${messageOf(error)}`, error);
  }
}
