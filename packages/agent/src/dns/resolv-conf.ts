import { isIP } from "node:net";

export interface ResolvConf {
  /** IP literals, in order; what libc takes at most. */
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
}

/** resolv.conf(5): libc asks at most three servers, and this host when none is named. */
const maxNameservers = 3;
const maxSearchDomains = 32;

/** Parses resolv.conf(5) as libc does: the last `search` or `domain` line wins, unknown lines are skipped. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let searchDomains: string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] && isIP(values[0].replace(/%.*$/, "")) !== 0) {
      if (nameservers.length < maxNameservers) nameservers.push(values[0]);
    } else if (keyword === "search" || keyword === "domain") {
      searchDomains = values.filter((domain) => domain !== ".").slice(0, maxSearchDomains);
    }
  }
  return { nameservers: nameservers.length > 0 ? nameservers : ["127.0.0.1"], searchDomains };
}
