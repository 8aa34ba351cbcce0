import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of filters that hold or change bodies. */
export function bodyFiltersSupport(): Record<string, MessageSupport> {
  const buffer = "envoy.extensions.filters.http.buffer.v3.";
  return {
    [`${buffer}Buffer`]: { implemented: "max_request_bytes" },
    [`${buffer}BufferPerRoute`]: { implemented: "disabled buffer" },
  };
}
