import { recallAnswer, recallRequest, tapLine, tapRequest } from "../observe-protocol.ts";
import { route, streamRoute } from "../route.ts";

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

export const requestRoutes = [tapRoute, recallRoute] as const;
