import { checkListeners } from "./check-listeners.ts";
import type { Finding } from "./finding.ts";
import type { ListenerSetSpec } from "./gateway-api-specs.ts";

/** What the published rules say of a ListenerSet: of its listeners what they say of a Gateway's. */
export function checkListenerSet({ listeners }: ListenerSetSpec, find: Finding): void {
  checkListeners(listeners, find);
}
