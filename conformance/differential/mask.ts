/** Ports that differ between the two proxies, by what they are. */
export interface KnownPorts {
  readonly [name: string]: number;
}

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;

/** Replaces what no two runs share: dates, generated ids, durations and ports. */
export function mask(text: string, ports: KnownPorts): string {
  let masked = text
    .replace(uuid, "<uuid>")
    .replace(/\b\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT/g, "<date>")
    .replace(/\[20\d\d-\d\d-\d\dT[\d:.]+Z\]/g, "[<time>]")
    // The two durations of the default access log.
    .replace(/^(\[<time>\] "[^"]*" \d+ \S+ \d+ \d+) \d+ (?:\d+|-)/gm, "$1 <ms> <ms>")
    .replace(/(x-forwarded-port: )\d{4,5}\b/g, "$1<port>")
    .replace(/(x-envoy-upstream-service-time: )\d+/gi, "$1<ms>");
  for (const [name, port] of Object.entries(ports)) masked = masked.replaceAll(`:${port}`, `:<${name}>`);
  return masked.replace(/(127\.0\.0\.1):\d{4,5}\b/g, "$1:<port>");
}
