import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import { isInRange, type ParsedRange, parseAddress, parseRange } from "../net/cidr.ts";
import type { ProxyHeader } from "../net/proxy-protocol.ts";
import { isLocalSource, type SocketAddress } from "../net/socket-address.ts";
import type { CidrRange, FilterChainChoice, FilterChainMatch } from "./listener-plan.ts";

/** What is known of a connection when its filter chain is chosen. */
export interface ConnectionFacts {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  /** Who the connection physically comes from, where a PROXY header named another; absent means `remote`. */
  readonly directRemote?: SocketAddress;
  readonly proxyHeader?: ProxyHeader;
  /** What listener filters noted. */
  readonly metadata?: DynamicMetadata | undefined;
  readonly serverName: string;
  readonly transportProtocol: "tls" | "raw_buffer";
  readonly applicationProtocols: readonly string[];
}

/** Specificity of a match: -1 does not match, 0 has no opinion, higher is more specific. */
type Criterion = (match: CompiledMatch, facts: FactsForMatch) => number;

interface FactsForMatch extends ConnectionFacts {
  readonly localGroups: readonly number[];
  readonly remoteGroups: readonly number[];
  readonly directRemoteGroups: readonly number[];
  readonly isLocalSource: boolean;
}

interface CompiledMatch {
  readonly match: FilterChainMatch;
  readonly prefixRanges: readonly ParsedRange[];
  readonly directSourceRanges: readonly ParsedRange[];
  readonly sourceRanges: readonly ParsedRange[];
}

/** Envoy's order: each criterion decides among those the ones before left. There is no going back. */
const destinationCriteria: readonly Criterion[] = [destinationPort, destinationRange];
const inspectedCriteria: readonly Criterion[] = [serverName, transportProtocol, applicationProtocol];
const sourceCriteria: readonly Criterion[] = [directSourceRange, sourceType, sourceRange, sourcePort];
const allCriteria = [...destinationCriteria, ...inspectedCriteria, ...sourceCriteria];

/**
 * Chooses among filter chains by Envoy's rules: the most specific destination
 * port, then address, then server name and so on, whatever their order.
 *
 * @see envoy.config.listener.v3.FilterChainMatch
 */
export class FilterChainMatcher<C extends { readonly name: string; readonly match: FilterChainMatch }> {
  readonly #chains: readonly { readonly chain: C; readonly compiled: CompiledMatch }[];
  readonly #choice: FilterChainChoice | undefined;

  /** `choice` decides in the place of the chains' own matches, by their names. */
  constructor(chains: readonly C[], choice?: FilterChainChoice) {
    this.#chains = chains.map((chain) => ({ chain, compiled: compile(chain.match) }));
    this.#choice = choice;
  }

  find(facts: ConnectionFacts): C | undefined {
    if (this.#choice) {
      const known = { ...facts, requestedServerName: facts.serverName, peer: undefined };
      const name = this.#choice.find(known, undefined);
      return this.#chains.find(({ chain }) => chain.name === name)?.chain;
    }
    return this.#narrow(facts, allCriteria)[0]?.chain;
  }

  /** Whether the choice for this destination depends on what the client sends first. */
  needsInspection(facts: ConnectionFacts): boolean {
    if (this.#choice) return this.#choice.needsInspection;
    return this.#narrow(facts, destinationCriteria).some(
      ({ compiled: { match } }) =>
        match.serverNames.length > 0 ||
        match.transportProtocol !== "" ||
        match.applicationProtocols.length > 0,
    );
  }

  #narrow(facts: ConnectionFacts, criteria: readonly Criterion[]) {
    const full: FactsForMatch = {
      ...facts,
      localGroups: groupsOf(facts.local),
      remoteGroups: groupsOf(facts.remote),
      directRemoteGroups: groupsOf(facts.directRemote ?? facts.remote),
      isLocalSource: isLocalSource(facts),
    };
    let left = this.#chains;
    for (const criterion of criteria) {
      let best = 0;
      const scores = left.map(({ compiled }) => {
        const score = criterion(compiled, full);
        if (score > best) best = score;
        return score;
      });
      left = left.filter((_, i) => scores[i] === best);
    }
    return left;
  }
}

function compile(match: FilterChainMatch): CompiledMatch {
  return {
    match,
    prefixRanges: parseRanges(match.prefixRanges),
    directSourceRanges: parseRanges(match.directSourcePrefixRanges),
    sourceRanges: parseRanges(match.sourcePrefixRanges),
  };
}

function parseRanges(ranges: readonly CidrRange[]): ParsedRange[] {
  return ranges.flatMap(({ address, prefixLength }) => parseRange(address, prefixLength) ?? []);
}

function groupsOf(address: SocketAddress): readonly number[] {
  return address.kind === "ip" ? (parseAddress(address.host) ?? []) : [];
}

function destinationPort({ match }: CompiledMatch, { local }: FactsForMatch): number {
  if (match.destinationPort === undefined) return 0;
  return local.kind === "ip" && local.port === match.destinationPort ? 1 : -1;
}

function destinationRange({ prefixRanges, match }: CompiledMatch, facts: FactsForMatch): number {
  return longestRange(prefixRanges, match.prefixRanges.length, facts.localGroups);
}

function serverName({ match }: CompiledMatch, facts: FactsForMatch): number {
  if (match.serverNames.length === 0) return 0;
  let best = -1;
  for (const name of match.serverNames) {
    if (name === facts.serverName && name !== "") return Number.MAX_SAFE_INTEGER;
    if (name.startsWith("*.") && facts.serverName.endsWith(name.slice(1)) && name.length > best)
      best = name.length;
  }
  return best;
}

function transportProtocol({ match }: CompiledMatch, facts: FactsForMatch): number {
  if (match.transportProtocol === "") return 0;
  return match.transportProtocol === facts.transportProtocol ? 1 : -1;
}

function applicationProtocol({ match }: CompiledMatch, facts: FactsForMatch): number {
  if (match.applicationProtocols.length === 0) return 0;
  return facts.applicationProtocols.some((protocol) => match.applicationProtocols.includes(protocol))
    ? 1
    : -1;
}

function directSourceRange({ directSourceRanges, match }: CompiledMatch, facts: FactsForMatch): number {
  return longestRange(directSourceRanges, match.directSourcePrefixRanges.length, facts.directRemoteGroups);
}

function sourceType({ match }: CompiledMatch, { isLocalSource: isLocal }: FactsForMatch): number {
  if (match.sourceType === "any") return 0;
  return (match.sourceType === "same-ip-or-loopback") === isLocal ? 1 : -1;
}

function sourceRange({ sourceRanges, match }: CompiledMatch, facts: FactsForMatch): number {
  return longestRange(sourceRanges, match.sourcePrefixRanges.length, facts.remoteGroups);
}

function sourcePort({ match }: CompiledMatch, { remote }: FactsForMatch): number {
  if (match.sourcePorts.length === 0) return 0;
  return remote.kind === "ip" && match.sourcePorts.includes(remote.port) ? 1 : -1;
}

function longestRange(ranges: readonly ParsedRange[], declared: number, groups: readonly number[]): number {
  if (declared === 0) return 0;
  let best = -1;
  for (const range of ranges) {
    if (range.prefixLength + 1 > best && isInRange(groups, range)) best = range.prefixLength + 1;
  }
  return best;
}
