import assert from "node:assert/strict";
import { test } from "node:test";
import { SendBudget } from "./send-budget.ts";

/** Sends 10 bytes whenever it may. */
function spender(budget: SendBudget, log: string[], name: string) {
  const self = {
    onBudget: () => void self.send(),
    send() {
      if (!budget.hasRoom(self)) return;
      budget.spend(10);
      log.push(name);
    },
  };
  return self;
}

test("what does not fit waits, and goes out in the order in which it came", () => {
  const budget = new SendBudget(20);
  const log: string[] = [];
  for (const name of ["a", "b", "c", "d", "e"]) spender(budget, log, name).send();
  assert.deepEqual(log, ["a", "b"]);
  budget.release(10);
  assert.deepEqual(log, ["a", "b", "c"]);
  budget.release(10);
  budget.release(10);
  assert.deepEqual(log, ["a", "b", "c", "d", "e"]);
});

test("nobody overtakes those who wait, and who is gone holds nobody up", () => {
  const budget = new SendBudget(10);
  const log: string[] = [];
  spender(budget, log, "a").send();
  const gone = spender(budget, log, "gone");
  gone.send();
  spender(budget, log, "b").send();
  budget.forget(gone);
  budget.release(10);
  assert.deepEqual(log, ["a", "b"]);
});
