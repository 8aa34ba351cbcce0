import {
  applyRequest,
  applyResult,
  deleteResult,
  diffRequest,
  diffResult,
  maxSyncMs,
  resourceVersions,
  rollbackRequest,
} from "../change-protocol.ts";
import {
  resourceIndex,
  resourceKey,
  resourceList,
  resourceRecord,
  revisionRecord,
  syncResult,
} from "../protocol.ts";
import { route } from "../route.ts";
import { integer, list, object, optional, text } from "../schema.ts";

/** The longest files that are taken at once. */
const maxFilesBytes = 16 << 20;
const key = resourceKey.properties;

export const applyRoute = route({
  id: "apply",
  method: "POST",
  path: "/api/v1/apply",
  role: "write",
  isRecorded: true,
  summary: "Applies files, all of them or nothing, as one revision",
  body: applyRequest,
  answer: applyResult,
  maxBodyBytes: maxFilesBytes,
  takesIfMatch: true,
  etag: ({ revision }) => revision,
  handle: (backend, { body, caller, ifRevision }) => backend.apply(body, { caller, ifRevision }),
});

export const diffRoute = route({
  id: "diff",
  method: "POST",
  path: "/api/v1/diff",
  role: "read",
  summary: "Says what an apply would change, in what is written and for each proxy",
  body: diffRequest,
  answer: diffResult,
  maxBodyBytes: maxFilesBytes,
  handle: (backend, { body }) => backend.diff(body),
});

export const rollbackRoute = route({
  id: "rollback",
  method: "POST",
  path: "/api/v1/rollback",
  role: "write",
  isRecorded: true,
  summary: "Goes back to what the configuration was at a revision, as a new revision",
  body: rollbackRequest,
  answer: applyResult,
  takesIfMatch: true,
  etag: ({ revision }) => revision,
  handle: (backend, { body, caller, ifRevision }) => backend.rollback(body, { caller, ifRevision }),
});

export const listResourcesRoute = route({
  id: "listResources",
  method: "GET",
  path: "/api/v1/resources",
  role: "read",
  summary: "All resources in force, or those of one kind and namespace",
  query: { kind: optional(text()), namespace: optional(text()) },
  answer: resourceList,
  etag: ({ revision }) => revision,
  handle: (backend, { query }) => backend.listResources(query),
});

export const indexResourcesRoute = route({
  id: "indexResources",
  method: "GET",
  path: "/api/v1/resource-index",
  role: "read",
  summary: "All resources in force without their texts",
  answer: resourceIndex,
  etag: ({ revision }) => revision,
  handle: (backend) => backend.indexResources(),
});

export const getResourceRoute = route({
  id: "getResource",
  method: "GET",
  path: "/api/v1/resources/{kind}/{namespace}/{name}",
  role: "read",
  summary: "One resource as it was written; its ETag is the revision that last changed it",
  params: key,
  answer: resourceRecord,
  etag: ({ revision, source }) => (source === "store" ? revision : undefined),
  handle: (backend, { params }) => backend.getResource(params),
});

export const deleteResourceRoute = route({
  id: "deleteResource",
  method: "DELETE",
  path: "/api/v1/resources/{kind}/{namespace}/{name}",
  role: "write",
  isRecorded: true,
  summary: "Deletes one resource",
  params: key,
  answer: deleteResult,
  takesIfMatch: true,
  etag: ({ revision }) => revision,
  handle: (backend, { params, caller, ifRevision }) => backend.deleteResource(params, { caller, ifRevision }),
});

export const versionsRoute = route({
  id: "resourceVersions",
  method: "GET",
  path: "/api/v1/versions/{kind}/{namespace}/{name}",
  role: "read",
  summary: "All versions of one resource, also of a deleted one",
  params: key,
  answer: resourceVersions,
  handle: (backend, { params }) => ({ versions: backend.versions(params) }),
});

export const revisionsRoute = route({
  id: "revisions",
  method: "GET",
  path: "/api/v1/revisions",
  role: "read",
  summary: "Who changed what, newest first",
  query: { limit: optional(integer(undefined, { minimum: 1, maximum: 1_000, default: 50 })) },
  answer: object("RevisionList", { revisions: list(revisionRecord) }),
  handle: (backend, { query }) => ({ revisions: backend.revisions(query.limit ?? 50) }),
});

export const syncRoute = route({
  id: "sync",
  method: "GET",
  path: "/api/v1/sync",
  role: "read",
  summary: "Waits until every connected sidecar has acknowledged a revision, or the time is over",
  query: {
    revision: optional(integer(undefined, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 })),
    timeoutMs: optional(integer(undefined, { minimum: 0, maximum: maxSyncMs, default: 30_000 })),
  },
  answer: syncResult,
  handle: (backend, { query, signal }) =>
    backend.sync(query.revision ?? 0, query.timeoutMs ?? 30_000, signal),
});

export const configRoutes = [
  applyRoute,
  diffRoute,
  rollbackRoute,
  listResourcesRoute,
  indexResourcesRoute,
  getResourceRoute,
  deleteResourceRoute,
  versionsRoute,
  revisionsRoute,
  syncRoute,
] as const;
