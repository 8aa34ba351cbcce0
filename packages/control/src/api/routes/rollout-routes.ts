import { rolloutCommand, rolloutList, rolloutStatus, startRollout } from "../rollout-protocol.ts";
import { route } from "../route.ts";
import { integer, optional, text } from "../schema.ts";

const of = { namespace: text(), service: text() };

export const startRolloutRoute = route({
  id: "startRollout",
  method: "POST",
  path: "/api/v1/rollouts",
  role: "write",
  summary: "Begins to give a new version of a service more and more of its calls",
  body: startRollout,
  answer: rolloutStatus,
  handle: ({ rollouts }, { body, caller }) => rollouts.start(body, caller),
});

export const listRolloutsRoute = route({
  id: "listRollouts",
  method: "GET",
  path: "/api/v1/rollouts",
  role: "read",
  summary: "Rollouts under way and the last one of each service, without their events",
  answer: rolloutList,
  handle: ({ rollouts }) => ({ rollouts: rollouts.list() }),
});

export const rolloutStatusRoute = route({
  id: "rolloutStatus",
  method: "GET",
  path: "/api/v1/rollouts/{namespace}/{service}",
  role: "read",
  summary: "The rollout of a service under way, or the last one, with the events after a number",
  params: of,
  query: {
    after: optional(integer(undefined, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 })),
  },
  answer: rolloutStatus,
  handle: ({ rollouts }, { params, query }) => rollouts.status(params, query.after ?? 0),
});

export const commandRolloutRoute = route({
  id: "commandRollout",
  method: "POST",
  path: "/api/v1/rollouts/{namespace}/{service}/{command}",
  role: "write",
  summary: "Holds a rollout, sends it on, ends it, or undoes one that was promoted",
  params: { ...of, command: rolloutCommand },
  answer: rolloutStatus,
  handle: ({ rollouts }, { params }) => rollouts.command(params, params.command),
});

export const rolloutRoutes = [
  startRolloutRoute,
  listRolloutsRoute,
  rolloutStatusRoute,
  commandRolloutRoute,
] as const;
