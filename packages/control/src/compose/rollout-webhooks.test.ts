import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@weft/testkit/free-port";
import { hasPrometheus, type Prometheus, startPrometheus } from "@weft/testkit/prometheus";
import { Ajv } from "ajv";
import { type RolloutWebhook, rolloutStatus, type StartRollout } from "../api/rollout-protocol.ts";
import { closed } from "../api/test-checked-client.ts";
import { ask, route, setUpRollouts } from "./rollouts-fixture.ts";

type Mesh = Awaited<ReturnType<typeof setUpRollouts>>;
const isStatus = new Ajv({ strict: false }).compile(closed(rolloutStatus) as object);

interface Heard {
  readonly path: string;
  readonly body: Record<string, unknown> & { readonly metadata: Record<string, string> };
}

/** Webhooks: what they heard, and what each path answers; undefined: nothing, ever. */
let heard: Heard[] = [];
let answers = new Map<string, () => number | undefined>();
const server = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => {
    text += chunk;
  });
  request.on("end", () => {
    const path = request.url!;
    heard.push({ path, body: JSON.parse(text) });
    const status = (answers.get(path) ?? (() => 200))();
    if (status === undefined) return;
    if (status === 302) response.setHeader("location", "/elsewhere");
    response.writeHead(status).end(status === 200 ? "" : `it is\n${status}`);
  });
});
let origin = "";
before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  heard = [];
  answers = new Map();
});

const hook = (type: RolloutWebhook["type"], more: Partial<RolloutWebhook> = {}): RolloutWebhook => ({
  name: type,
  type,
  url: `${origin}/${type}`,
  timeoutMs: 60_000,
  retries: 0,
  ...more,
});
const asking = (more: Partial<StartRollout>): StartRollout => ({ ...ask, steps: [50, 100], ...more });
const pathsHeard = () => [...new Set(heard.map(({ path }) => path))];

/** Lets the mesh live, second by second, with calls that all succeed and proxies that take everything. */
async function until(mesh: Mesh, what: string, isSo: () => boolean): Promise<void> {
  const lateMs = performance.now() + 300_000;
  while (!isSo()) {
    assert.ok(performance.now() < lateMs, `waited in vain: ${what}`);
    mesh.calls("v1", 20);
    mesh.calls("v3", 20);
    mesh.answer();
    await mesh.clock.advance(1_000);
    await sleep(2);
    assert.ok(isStatus(mesh.status()), JSON.stringify(isStatus.errors));
  }
}
const isHeldBy = (mesh: Mesh, text: RegExp) => () => text.test(mesh.status().waitingFor ?? "");
const isOver = (mesh: Mesh) => () => mesh.status().isOver;

test("webhooks confirm, prepare, check and hear of the end, in Flagger's order and words", async (t) => {
  const mesh = await setUpRollouts(t);
  let isOpen = false;
  for (const path of ["/confirm-rollout", "/confirm-promotion"]) {
    answers.set(path, () => (isOpen ? 200 : 403));
  }
  mesh.start(
    asking({
      name: "canary",
      webhooks: [
        ...(["post-rollout", "confirm-promotion", "rollout", "pre-rollout", "confirm-rollout"] as const).map(
          (type) => hook(type, { metadata: { cmd: "run it" } }),
        ),
        hook("event"),
      ],
    }),
  );
  await until(
    mesh,
    "it is held",
    isHeldBy(mesh, /^confirm-rollout webhook confirm-rollout answered 403: it is 403$/),
  );
  assert.equal(mesh.status().phase, "Waiting");
  assert.equal(mesh.text(), route, "no call goes to it before that");
  assert.ok(!pathsHeard().includes("/pre-rollout"));
  isOpen = true;
  await until(mesh, "the first step is measured", () => mesh.status().phase === "Progressing");
  assert.equal(mesh.status().waitingFor, undefined);
  isOpen = false;
  await until(mesh, "its promotion is held", isHeldBy(mesh, /^confirm-promotion webhook/));
  assert.equal(mesh.status().weight, 100);
  const before = heard.filter(({ path }) => path === "/rollout").length;
  await until(mesh, "it is checked meanwhile", () => {
    return heard.filter(({ path }) => path === "/rollout").length > before + 1;
  });
  isOpen = true;
  await until(mesh, "it is over", isOver(mesh));
  assert.equal(mesh.status().outcome, "promoted");
  assert.deepEqual(
    pathsHeard().filter((path) => path !== "/event"),
    ["/confirm-rollout", "/pre-rollout", "/rollout", "/confirm-promotion", "/post-rollout"],
  );
  const bodyOf = (path: string) => heard.findLast((one) => one.path === path)!.body;
  const { checksum, ...told } = bodyOf("/post-rollout");
  assert.match(String(checksum), /^[0-9a-f]{10}$/);
  assert.deepEqual(told, {
    name: "canary",
    namespace: "default",
    phase: "Succeeded",
    type: "post-rollout",
    failedChecks: 0,
    canaryWeight: 100,
    iterations: 2,
    metadata: { cmd: "run it" },
  });
  assert.equal(bodyOf("/confirm-rollout").phase, "Waiting");
  await until(mesh, "the last event is heard of", () =>
    /all calls go to v3/.test(String(bodyOf("/event").metadata.eventMessage)),
  );
  const events = heard.filter(({ path }) => path === "/event").map(({ body }) => body.metadata);
  assert.match(events[0]!.eventMessage!, /v1 → v3/);
  assert.deepEqual([...new Set(events.map(({ eventType }) => eventType))].sort(), ["Normal", "Warning"]);
  assert.deepEqual(mesh.errors, []);
});

const failing: readonly (readonly [
  what: string,
  webhook: () => RolloutWebhook,
  answer: number | undefined,
  reason: RegExp,
])[] = [
  ["does not prepare it", () => hook("pre-rollout"), 500, /^pre-rollout webhook pre-rollout answered 500/],
  [
    "fails its step",
    () => hook("rollout"),
    503,
    /step 1 of 2, 50 % to v3: rollout webhook rollout answered 503/,
  ],
  ["never answers", () => hook("rollout", { timeoutMs: 100 }), undefined, /did not answer within 0.1 s/],
  ["is redirected", () => hook("rollout"), 302, /answered 302/],
  ["asks for it", () => hook("rollback"), 200, /rollback webhook rollback asks for it/],
];
for (const [what, webhook, answer, reason] of failing) {
  test(`a webhook that ${what} undoes the rollout, and the route is as it was`, async (t) => {
    const mesh = await setUpRollouts(t);
    const asked = webhook();
    answers.set(new URL(asked.url).pathname, () => answer);
    mesh.start(asking({ webhooks: [asked, hook("post-rollout")] }));
    await until(mesh, "it is over", isOver(mesh));
    assert.equal(mesh.status().outcome, "rolled back");
    assert.match(mesh.status().reason!, reason);
    assert.equal(mesh.text(), route);
    assert.ok(!pathsHeard().includes("/elsewhere"), "nothing is followed");
    const end = heard.find(({ path }) => path === "/post-rollout")!.body;
    assert.equal(end.phase, "Failed");
  });
}

test("a webhook is tried as often as it says before it has failed", async (t) => {
  const mesh = await setUpRollouts(t);
  let tried = 0;
  answers.set("/pre-rollout", () => (++tried < 3 ? 500 : 202));
  mesh.start(asking({ webhooks: [hook("pre-rollout", { retries: 2 })] }));
  await until(mesh, "the first step begins", () => mesh.status().weight === 50);
  assert.equal(tried, 3);
  assert.equal(mesh.status().failedChecks, 0);
});

test("what waits for a webhook still does after a restart, and goes on when that says yes", async (t) => {
  const mesh = await setUpRollouts(t);
  let isOpen = false;
  answers.set("/confirm-traffic-increase", () => (isOpen ? 200 : 403));
  mesh.start(asking({ webhooks: [hook("confirm-traffic-increase")] }));
  await until(mesh, "it is held", isHeldBy(mesh, /^confirm-traffic-increase/));
  mesh.restart();
  assert.match(mesh.status().waitingFor!, /^confirm-traffic-increase/);
  const { length } = heard;
  await until(mesh, "it is asked again", () => heard.length > length);
  assert.equal(mesh.text(), route);
  isOpen = true;
  await until(mesh, "the first step begins", () => mesh.status().weight === 50);
});

test("what holds it is said once, however it says so; an alert of it can be muted", async (t) => {
  const mesh = await setUpRollouts(t);
  let tried = 0;
  answers.set("/confirm-rollout", () => 400 + ++tried);
  const chat = { name: "chat", type: "slack", severity: "warn" } as const;
  const muted = hook("confirm-rollout", { isMuted: true });
  mesh.start(asking({ webhooks: [muted], alerts: [{ ...chat, url: `${origin}/chat` }] }));
  await until(mesh, "it is asked again", isHeldBy(mesh, /answered 403/));
  const waiting = mesh.status().events.filter(({ kind }) => kind === "waiting");
  assert.deepEqual(
    waiting.map(({ message }) => message),
    ["confirm-rollout webhook confirm-rollout answered 401: it is 401"],
  );
  mesh.plane.rollouts.command(ask, "abort");
  await until(mesh, "the chat is told of the end", () => pathsHeard().includes("/chat"));
  const texts = heard.flatMap(({ path, body }) =>
    path === "/chat" ? (body.attachments as { text: string }[]).map(({ text }) => text) : [],
  );
  assert.ok(!texts.some((text) => text.includes("answered 401")), texts.join("; "));
});

test("an operator goes past what holds it", async (t) => {
  const mesh = await setUpRollouts(t);
  answers.set("/confirm-rollout", () => 403);
  mesh.start(asking({ webhooks: [hook("confirm-rollout")] }));
  await until(mesh, "it is held", isHeldBy(mesh, /^confirm-rollout/));
  mesh.plane.rollouts.command(ask, "promote");
  await until(mesh, "the first step is measured", () => mesh.status().phase === "Progressing");
  assert.equal(mesh.status().weight, 50);
});

test("an address that nobody allowed is not called, and is named", async (t) => {
  const mesh = await setUpRollouts(t);
  const url = "http://10.1.2.3/hook";
  mesh.start(asking({ webhooks: [hook("confirm-rollout", { url })] }));
  await until(
    mesh,
    "it is held",
    isHeldBy(mesh, /10\.1\.2\.3 is not a public address; allow it with --canary-allow/),
  );
});

test("chats are told what is grave enough, in their own form", async (t) => {
  const mesh = await setUpRollouts(t);
  answers.set("/rollout", () => 500);
  const alert = { name: "on-call", severity: "error", channel: "alerts", username: "weft" } as const;
  mesh.start(
    asking({
      webhooks: [hook("rollout")],
      alerts: [
        { ...alert, type: "slack", url: `${origin}/chat` },
        { ...alert, type: "discord", url: `${origin}/discord/`, severity: "info" },
        { ...alert, type: "msteams", url: `${origin}/teams` },
      ],
    }),
  );
  await until(mesh, "it is over", isOver(mesh));
  await until(mesh, "all are told", () => heard.filter(({ path }) => path === "/teams").length === 2);
  const said = heard.filter(({ path }) => path === "/chat").map(({ body }) => body);
  assert.deepEqual(
    said.map(({ channel, username }) => [channel, username]),
    Array(2).fill(["alerts", "weft"]),
  );
  const [{ color, author_name, text }] = said[0]!.attachments as [Record<string, string>];
  assert.deepEqual([color, author_name], ["danger", "api.default"]);
  assert.match(text!, /answered 500: it is 500: back to v1/);
  const discord = heard.filter(({ path }) => path === "/discord/slack");
  assert.ok(discord.length > 2, "info is for everything that is worth an alert");
  const { "@type": type, themeColor } = heard.find(({ path }) => path === "/teams")!.body;
  assert.deepEqual([type, themeColor], ["MessageCard", "FF0000"]);
});

test("metrics of a real Prometheus decide about each step", {
  skip: hasPrometheus ? false : "no Prometheus found",
}, async (t) => {
  const prometheus: Prometheus = await startPrometheus({});
  t.after(() => prometheus.close());
  const away = `http://127.0.0.1:${await freePort()}`;
  const outcomes: readonly (readonly [
    query: string,
    bounds: { min?: number; max?: number },
    url: string,
    reason: RegExp | undefined,
  ])[] = [
    ["vector(0.997)", { min: 0.99, max: 1 }, prometheus.url, undefined],
    ["vector(0.97)", { min: 0.99 }, prometheus.url, /metric own is 0.97, less than 0.99/],
    ["vector(12)", { max: 5 }, prometheus.url, /metric own is 12, more than 5/],
    ["nothing_like_it", { max: 5 }, prometheus.url, /metric own: Prometheus has no value for it/],
    ["sum(", { max: 5 }, prometheus.url, /metric own: Prometheus: it answered 400/],
    ["vector(1)", { max: 5 }, away, /metric own: Prometheus: .*ECONNREFUSED/],
  ];
  for (const [query, bounds, url, reason] of outcomes) {
    const mesh = await setUpRollouts(t);
    mesh.start(asking({ queries: [{ name: "own", query, url, ...bounds }] }));
    await until(mesh, `it is over: ${query}`, isOver(mesh));
    const { outcome, reason: said = "" } = mesh.status();
    assert.equal(outcome, reason ? "rolled back" : "promoted", query);
    if (reason) assert.match(said, reason);
  }
});
