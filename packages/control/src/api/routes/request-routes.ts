import { recallAnswer, recallRequest, tapLine, tapRequest } from "../observe-protocol.ts";
import { observedExplanations } from "../question-protocol.ts";
import { route, streamRoute } from "../route.ts";
import { text } from "../schema.ts";

export const tapRoute = streamRoute({
  id: "tap",
  method: "POST",
  path: "/api/v1/requests/watch",
  role: "write",
  summary: "Requests as they happen",
  body: tapRequest,
  answer: tapLine,
  handle: (backend, { body, signal }) => backend.tap(body, signal),
});

export const recallRoute = route({
  id: "recall",
  method: "POST",
  path: "/api/v1/requests",
  role: "write",
  summary: "Requests that data planes remember",
  body: recallRequest,
  answer: recallAnswer,
  handle: (backend, { body }) => backend.recall(body),
});

export const explainRequestRoute = route({
  id: "explainRequest",
  method: "GET",
  path: "/api/v1/requests/{id}/explanation",
  role: "read",
  summary: "The calls of a request id that data planes remember, and why each came to what it did",
  params: { id: text("Of `x-request-id`.", { maxLength: 256 }) },
  answer: observedExplanations,
  handle: ({ questions }, { params }) => questions.explainRequest(params.id),
});

export const requestRoutes = [tapRoute, recallRoute, explainRequestRoute] as const;
