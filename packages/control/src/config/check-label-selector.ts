import type { Finding } from "./finding.ts";
import type { LabelSelectorSpec } from "./gateway-api-specs.ts";

const operators = ["In", "NotIn", "Exists", "DoesNotExist"];

/** What Kubernetes asks of a selector beyond its types: it would select nothing otherwise. */
export function checkLabelSelector(
  { matchExpressions = [] }: LabelSelectorSpec,
  path: string,
  find: Finding,
): void {
  matchExpressions.forEach(({ operator, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    find.word(`${at}.operator`, operator, operators);
    const takesValues = operator === "In" || operator === "NotIn";
    if (takesValues && values.length === 0) {
      find.error("W1104", at, `${at}: ${operator} needs values`, "write values: [NAME]");
    } else if (!takesValues && values.length > 0) {
      find.error("W1106", `${at}.values`, `${at}: ${operator} takes no values`, "remove them");
    }
  });
}
