import type { Diagnostics } from "@weft/base/diagnostics";
import { limits } from "../config/parse-documents.ts";
import type { ResourceOf } from "../config/resource.ts";
import { didYouMean } from "../config/suggest.ts";
import { delegateName, delegateOf, delegatesOf, writtenRules } from "./delegates.ts";

/** Names the VirtualServices that rules delegate to and cannot, and those without hosts that no rule leads to. */
export function checkDelegates(
  virtualServices: readonly ResourceOf<"VirtualService">[],
  diagnostics: Diagnostics,
): void {
  const delegates = delegatesOf(virtualServices);
  const used = new Set<string>();
  for (const root of virtualServices) {
    if (!root.spec.http?.some(({ delegate }) => delegate)) continue;
    writtenRules(root, delegates, (index) => {
      const at = root.origins.at(`spec.http[${index}].delegate`);
      const message = `spec.http[${index}] applies to nothing: with its delegate's there would be more than ${limits.matches} matches`;
      diagnostics.error("W2119", at, message, "delegate more, with fewer matches each");
    });
    root.spec.http?.forEach((rule, i) => {
      if (!rule.delegate) return;
      const name = delegateName(rule.delegate, root);
      used.add(name);
      if (delegateOf(rule, root, delegates)) return;
      const at = root.origins.at(`spec.http[${i}].delegate`);
      const isHidden = delegates.has(name);
      const what = isHidden
        ? `VirtualService ${name} is not exported to namespace ${root.namespace}`
        : `there is no VirtualService ${name} without hosts`;
      const hint = isHidden ? "correct its exportTo" : didYouMean(name, delegates.keys());
      diagnostics.warning(
        "IST0101",
        at,
        `${what}: this rule applies to nothing`,
        hint ?? "it may come later",
      );
    });
  }
  for (const [name, { origins }] of delegates) {
    if (used.has(name)) continue;
    const message = `VirtualService ${name} has no hosts, and no other delegates to it: it routes nothing`;
    diagnostics.info("W2117", origins.at("metadata.name"), message, "name hosts, or delegate to it");
  }
}
