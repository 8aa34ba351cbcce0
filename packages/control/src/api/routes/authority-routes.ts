import {
  auditEntries,
  auditVerification,
  caStatus,
  createdToken,
  createTokenRequest,
  revocationRecord,
  revokedToken,
  revokeRequest,
  rotateRequest,
  tokenList,
} from "../authority-protocol.ts";
import { federationStatus } from "../federation-protocol.ts";
import { ApiRefusal } from "../refusal.ts";
import { route } from "../route.ts";
import { integer, optional, text } from "../schema.ts";

export const listTokensRoute = route({
  id: "listTokens",
  method: "GET",
  path: "/api/v1/tokens",
  role: "read",
  summary: "Join tokens, never their secrets",
  answer: tokenList,
  handle: (backend) => backend.listTokens(),
});

export const createTokenRoute = route({
  id: "createToken",
  method: "POST",
  path: "/api/v1/tokens",
  role: "admin",
  isRecorded: true,
  summary: "Makes a join token: an identity for whoever holds it",
  body: createTokenRequest,
  answer: createdToken,
  handle: (backend, { body, caller }) => backend.createToken(body, caller),
});

export const revokeTokenRoute = route({
  id: "revokeToken",
  method: "DELETE",
  path: "/api/v1/tokens/{id}",
  role: "admin",
  isRecorded: true,
  summary: "Makes a join token unusable",
  params: { id: text() },
  answer: revokedToken,
  handle(backend, { params: { id }, caller }) {
    backend.revokeToken(id, caller);
    return { id };
  },
});

export const caStatusRoute = route({
  id: "caStatus",
  method: "GET",
  path: "/api/v1/ca",
  role: "read",
  summary: "The certificate authority: its roots, revocations and the last rotation",
  answer: caStatus,
  handle: (backend) => backend.caStatus(),
});

export const federationRoute = route({
  id: "federation",
  method: "GET",
  path: "/api/v1/federation",
  role: "read",
  summary: "The bundle of this trust domain, and what is known of those it is federated with",
  answer: federationStatus,
  handle: (backend) => backend.federation(),
});

export const rotateRootRoute = route({
  id: "rotateRoot",
  method: "POST",
  path: "/api/v1/ca/rotation",
  role: "admin",
  isRecorded: true,
  summary: "Begins to replace the root",
  body: rotateRequest,
  answer: caStatus,
  handle: (backend, { body, caller }) => backend.rotateRoot(body, caller),
});

export const revokeRoute = route({
  id: "revoke",
  method: "POST",
  path: "/api/v1/ca/revocations",
  role: "admin",
  isRecorded: true,
  summary: "Shuts out who holds a certificate, or whoever holds one of an identity",
  body: revokeRequest,
  answer: revocationRecord,
  handle(backend, { body: { serial, identity }, caller }) {
    if (serial !== undefined && identity === undefined) return backend.revoke({ serial }, caller);
    if (identity !== undefined && serial === undefined) return backend.revoke({ identity }, caller);
    throw new ApiRefusal(400, { error: "a revocation is {serial} or {identity}" });
  },
});

export const auditLogRoute = route({
  id: "auditLog",
  method: "GET",
  path: "/api/v1/audit",
  role: "admin",
  summary: "What was written, by whom, and what was refused; newest first",
  query: {
    limit: optional(integer(undefined, { minimum: 1, maximum: 10_000, default: 50 })),
    sinceMs: optional(integer(undefined, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    event: optional(text(undefined, { maxLength: 100 })),
    by: optional(text("Part of who was allowed, or tried.", { maxLength: 2048 })),
  },
  answer: auditEntries,
  handle: (backend, { query }) => ({ entries: backend.auditLog({ ...query, limit: query.limit ?? 50 }) }),
});

export const verifyAuditRoute = route({
  id: "verifyAudit",
  method: "GET",
  path: "/api/v1/audit/verification",
  role: "admin",
  summary: "Reads the whole audit log and says whether it is as it was written",
  query: {
    head: optional(text("An entry that was noted, `ID:HASH`.", { pattern: "^[0-9]{1,15}:[0-9a-f]{64}$" })),
  },
  answer: auditVerification,
  handle(backend, { query: { head } }) {
    const [id, hash] = head?.split(":") ?? [];
    return backend.verifyAudit(hash === undefined ? undefined : { id: Number(id), hash });
  },
});

export const authorityRoutes = [
  listTokensRoute,
  createTokenRoute,
  revokeTokenRoute,
  caStatusRoute,
  federationRoute,
  rotateRootRoute,
  revokeRoute,
  auditLogRoute,
  verifyAuditRoute,
] as const;
