import assert from "node:assert/strict";
import { test } from "node:test";
import type { VirtualAddressStore } from "../store/address-store.ts";
import { VirtualAddresses } from "./virtual-addresses.ts";

function memoryStore(): VirtualAddressStore & { readonly saved: Map<string, string> } {
  const saved = new Map<string, string>();
  return {
    saved,
    load: () => saved,
    add: (assigned) => {
      for (const [hostname, address] of assigned) saved.set(hostname, address);
    },
  };
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `s${i}.default.svc.cluster.local`);

test("every hostname has an address of its own in 240.240.0.0/16", () => {
  const addresses = new VirtualAddresses(memoryStore()).assign(names(2_000));
  assert.equal(new Set(addresses.values()).size, 2_000);
  for (const address of addresses.values()) assert.match(address, /^240\.240\.\d+\.\d+$/);
});

test("a hostname keeps its address whatever comes beside it, also after a restart", () => {
  const store = memoryStore();
  const before = new VirtualAddresses(store).assign(["reviews", "ratings"]);
  const after = new VirtualAddresses(store).assign([...names(500), "ratings", "reviews"]);
  assert.equal(after.get("reviews"), before.get("reviews"));
  assert.equal(after.get("ratings"), before.get("ratings"));
});

test("a preview stores nothing", () => {
  const store = memoryStore();
  new VirtualAddresses(store).preview(["reviews"]);
  assert.equal(store.saved.size, 0);
});

test("without a free address the answer is an error, not an address twice", () => {
  const addresses = new VirtualAddresses(memoryStore());
  addresses.assign(names(65_534));
  assert.throws(() => addresses.assign(["one-more"]), /all 65,534 virtual addresses are in use/);
});
