import assert from "node:assert/strict";
import { test } from "node:test";
import { meshOptions } from "../model/options.ts";
import { noFeatures, sidecarFeatures } from "./client-features.ts";
import { type Audience, explainedReplies } from "./explain-header.ts";

const audiences = ["application", "member", "anybody"] as const;

function told(explainHeader: "off" | "mesh" | "everywhere", features = sidecarFeatures): readonly Audience[] {
  const options = meshOptions({ trustDomain: "cluster.local", meshDefaults: { explainHeader } });
  return audiences.filter((one) => explainedReplies(one, options, features).localReplyConfig !== undefined);
}

test("what decided is told to nobody unless asked, and outside the mesh only where that was asked too", () => {
  assert.deepEqual(told("off"), []);
  assert.deepEqual(told("mesh"), ["application", "member"]);
  assert.deepEqual(told("everywhere"), audiences);
});

test("a data plane that cannot say it is not asked to", () => {
  assert.deepEqual(told("everywhere", noFeatures), []);
});
