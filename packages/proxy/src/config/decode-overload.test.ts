import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBootstrap } from "./bootstrap.ts";
import { parseDocument } from "./document.ts";

const monitors = "type.googleapis.com/envoy.extensions.resource_monitors";
const heap = `{ name: heap, typed_config: { "@type": ${monitors}.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1000 } }`;
const connections = `{ name: cx, typed_config: { "@type": ${monitors}.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 7 } }`;

const bootstrap = (resources: string, actions: string) => `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
overload_manager:
  refresh_interval: 0.25s
  resource_monitors: [${resources}]
  actions: [${actions}]
`;

const action = (name: string, trigger: string) =>
  `{ name: envoy.overload_actions.${name}, triggers: [{ name: heap, ${trigger} }] }`;

test("monitors, actions and their triggers are read as Envoy's", () => {
  const scaled = "scaled: { scaling_threshold: 0.5, saturation_threshold: 0.75 }";
  const text = bootstrap(`${heap}, ${connections}`, action("stop_accepting_requests", scaled));
  const { overload } = decodeBootstrap(parseDocument("bootstrap.yaml", text));
  assert.equal(overload.maxConnections, 7);
  assert.equal(overload.plan.refreshMs, 250);
  assert.deepEqual(overload.plan.monitors, [{ name: "heap", maxHeapBytes: 1000 }]);
  const [trigger] = overload.plan.actions[0]!.triggers;
  assert.deepEqual(
    [0.4, 0.5, 0.6875, 0.75, 2].map((pressure) => trigger!.scale(pressure)),
    [0, 0, 0.75, 1, 1],
  );
});

const threshold = "threshold: { value: 0.9 }";
const mistakes: readonly [what: string, resources: string, actions: string, message: RegExp][] = [
  [
    "an action that is not there",
    heap,
    action("reduce_timeouts", threshold),
    /'envoy\.overload_actions\.reduce_timeouts' is not implemented by this proxy/,
  ],
  ["a resource nobody watches", connections, action("shrink_heap", threshold), /unknown resource 'heap'/],
  [
    "a threshold above 1",
    heap,
    action("shrink_heap", "threshold: { value: 90 }"),
    /90 is out of range \(0 to 1\)/,
  ],
  [
    "thresholds the wrong way round",
    heap,
    action("shrink_heap", "scaled: { scaling_threshold: 0.9, saturation_threshold: 0.5 }"),
    /must be below/,
  ],
  [
    "a monitor that is only for tests",
    `{ name: x, typed_config: { "@type": ${monitors}.injected_resource.v3.InjectedResourceConfig } }`,
    "",
    /InjectedResourceConfig/,
  ],
  ["two of one name", `${heap}, ${heap}`, "", /'heap' is there twice/],
];
for (const [what, resources, actions, message] of mistakes) {
  test(`an overload manager with ${what} is refused`, () => {
    assert.throws(
      () => decodeBootstrap(parseDocument("bootstrap.yaml", bootstrap(resources, actions))),
      message,
    );
  });
}
