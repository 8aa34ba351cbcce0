import { rotationStatus } from "./rotation-protocol.ts";
import { asked, choice, flag, type Infer, integer, list, number, object, optional, text } from "./schema.ts";

/** Identities, certificates and tokens as the API has them. */

export const createTokenRequest = asked("CreateToken", {
  namespace: text(undefined, { maxLength: 253 }),
  serviceAccount: text(undefined, { maxLength: 253 }),
  ttlSeconds: optional(number("How long it can be used. Default an hour.")),
  isGateway: optional(
    flag("Whoever joins by it may be a gateway, and so have the Secrets of its namespace."),
  ),
});
export type CreateTokenRequest = Infer<typeof createTokenRequest>;

export const createdToken = object("CreatedToken", {
  id: text(),
  token: text("Shown once: only its hash is kept."),
  identity: text(),
  expiresAtMs: number(),
});
export type CreatedToken = Infer<typeof createdToken>;

const tokenRecord = object("Token", {
  id: text(),
  identity: text(),
  isGateway: flag("It is for a gateway."),
  createdAtMs: number(),
  expiresAtMs: number(),
  state: choice(["unused", "used", "expired", "revoked"]),
});
export type TokenRecord = Infer<typeof tokenRecord>;

export const tokenList = object("TokenList", { tokens: list(tokenRecord) });
export type TokenList = Infer<typeof tokenList>;

export const revokedToken = object("RevokedToken", { id: text() });

export const revocationRecord = object(
  "Revocation",
  { kind: choice(["serial", "identity"]), value: text(), atMs: number(), untilMs: number() },
  "A certificate, or what an identity had, that the control plane does not believe until it has expired.",
);
export type RevocationRecord = Infer<typeof revocationRecord>;

const auditRecord = object("AuditEntry", {
  atMs: number(),
  event: text(),
  subject: text("What it is about."),
  authorizedBy: text("Who was allowed to."),
  address: text("Where the request came from."),
  serial: optional(text()),
  keyHash: optional(text()),
  expiresAtMs: optional(number()),
  refusal: optional(text("Why it was refused; absent where it was done.")),
  revision: optional(integer("Of the configuration, where it was changed.")),
});
export type AuditRecord = Infer<typeof auditRecord>;

export const auditEntries = object("AuditEntries", { entries: list(auditRecord, "Newest first.") });

export const auditVerification = object("AuditVerification", {
  isIntact: flag(),
  entries: integer("Whose hashes hold."),
  unchained: integer("That are older than the chain."),
  firstId: optional(integer()),
  head: optional(
    object(
      undefined,
      { id: integer(), hash: text() },
      "The newest entry: noted elsewhere, it shows later that nothing up to it was changed.",
    ),
  ),
  problem: optional(text()),
});

export const caStatus = object("CaStatus", {
  trustDomain: text(),
  rootPem: text("The root that certificates come from."),
  bundlePem: text("Every root the mesh trusts, that one first."),
  issuerSubject: optional(
    text("The certificate that signs, the root itself where there is no intermediate."),
  ),
  issuerNotAfterMs: optional(number()),
  rootFingerprint: text(),
  rootSubject: text(),
  rootNotBeforeMs: number(),
  rootNotAfterMs: number(),
  certificateTtlSeconds: number(),
  revocations: list(revocationRecord, "Newest first."),
  rotation: optional(rotationStatus),
  issued: integer("Certificates issued since this control plane started."),
  issuedTotal: integer("Certificates ever issued."),
  active: integer("Of them those that have not expired."),
});
export type CaStatus = Infer<typeof caStatus>;

export const revokeRequest = asked(
  "Revoke",
  {
    serial: optional(text("Hexadecimal, with or without colons.", { maxLength: 256 })),
    identity: optional(text("A SPIFFE ID.", { maxLength: 2048 })),
  },
  "One of the two.",
);

export const rotateRequest = asked("Rotate", {
  isForced: flag("Nothing waits, and the old root is distrusted."),
});
