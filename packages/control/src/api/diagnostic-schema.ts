import type { Diagnostic } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import { choice, integer, object, optional, type Schema, text } from "./schema.ts";

const origin = object(
  "Origin",
  {
    file: text(),
    line: integer("From 1."),
    column: integer("From 1."),
    path: optional(text("Inside the document, such as `spec.http[0].route[1].weight`.")),
  },
  "Where something was written.",
) satisfies Schema<Origin>;

export const diagnostic = object(
  "Diagnostic",
  {
    code: text("Stable: `W2103`, or Istio's `IST0101` where it means the same."),
    severity: choice(["error", "warning", "info"]),
    message: text(),
    hint: optional(text("The next step.")),
    origin: optional(origin),
    other: optional(origin),
  },
  "One finding: what is wrong, where, and what to do.",
) satisfies Schema<Diagnostic>;
