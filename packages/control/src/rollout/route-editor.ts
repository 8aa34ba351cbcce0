import { Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import type { RolloutMatch } from "../api/rollout-protocol.ts";
import { parseStyled } from "./parse-styled.ts";
import { splitWeights, type Weighed } from "./split-weights.ts";

/** What of a service's calls the new version is to get. */
export interface RouteEdit {
  /** Percent of what both versions get. */
  readonly percent: number;
  /** Percent of the calls whose copies go to the new version. */
  readonly mirror?: number | undefined;
  /** Requests of which all go to the new version. */
  readonly match?: readonly RolloutMatch[] | undefined;
}

/** How one kind of route writes what an editor changes. */
export interface RouteForm {
  /** Of `spec`: the list of rules. */
  readonly rules: string;
  /** Of a rule: the list of destinations. */
  readonly destinations: string;
  /** Of a rule: the list of matches. */
  readonly matches: string;
  /** What the destinations of a rule have now. */
  weigh(rule: object): readonly Weighed[];
  /** Makes a destination the new version's. */
  setCanary(destination: YAMLMap): void;
  /** Makes a rule send copies to the new version, of which this is the destination. */
  addMirror(rule: YAMLMap, canary: YAMLMap, percent: number): void;
  /** A match that asks for both. */
  join(match: object, more: RolloutMatch): object;
}

/**
 * Makes other texts of a route's text, its comments and layout kept. Every rule
 * that sends calls to the old version shares them with the new one; the others
 * stay as they are. Each text is made of the one before the rollout, so that
 * nothing piles up.
 */
export class RouteEditor {
  readonly #text: string;
  readonly #form: RouteForm;
  readonly #shifted: readonly { readonly index: number; readonly rule: readonly Weighed[] }[];

  constructor(text: string, form: RouteForm) {
    this.#text = text;
    this.#form = form;
    const { spec } = parseDocument(text).toJS() as { spec: Readonly<Record<string, object[] | undefined>> };
    const rules = (spec[form.rules] ?? []).map((rule) => form.weigh(rule));
    this.#shifted = rules.flatMap((rule, index) => (rule.some(isShifted) ? [{ rule, index }] : []));
  }

  /** Rules that send calls to the old version: nothing can be shifted where it is 0. */
  get shifted(): number {
    return this.#shifted.length;
  }

  edit({ percent, mirror, match }: RouteEdit): string {
    return this.#each((node, rule, index, all) => {
      if (percent > 0) this.#share(node, rule, percent);
      if (mirror !== undefined) this.#form.addMirror(node, this.#canary(node, rule), mirror);
      if (match) all.items.splice(index, 0, this.#matching(node, rule, match));
    });
  }

  /** The new version in the place of the old one. */
  promoted(): string {
    return this.#each((node, rule) => {
      const destinations = this.#destinations(node);
      const both = rule.reduce((sum, { role, weight }) => (role === "other" ? sum : sum + weight), 0);
      const kept = rule.findIndex(({ role }) => role === "stable");
      const item = destinations.items[kept]!;
      this.#form.setCanary(item);
      if (rule.length > 1) item.set("weight", both);
      destinations.items = destinations.items.filter((_, i) => i === kept || rule[i]!.role === "other");
    });
  }

  #each(edit: (node: YAMLMap, rule: readonly Weighed[], index: number, all: YAMLSeq) => void): string {
    const document = parseStyled(this.#text);
    const all = document.getIn(["spec", this.#form.rules]);
    // From the end, so that rules that are added move none that is still to be found.
    for (const { rule, index } of this.#shifted.toReversed()) {
      const node = isSeq(all) ? all.items[index] : undefined;
      if (isSeq(all) && isMap(node) && isSeq(node.get(this.#form.destinations))) edit(node, rule, index, all);
    }
    return document.toString({ lineWidth: 0, indentSeq: !dashesStandBelowKeys.test(this.#text) });
  }

  #destinations(node: YAMLMap): YAMLSeq<YAMLMap> {
    return node.get(this.#form.destinations) as YAMLSeq<YAMLMap>;
  }

  #share(node: YAMLMap, rule: readonly Weighed[], percent: number): void {
    const { items } = this.#destinations(node);
    const { factor, stable, canary } = splitWeights(rule, percent);
    const weights = { stable, canary };
    items.forEach((item, i) => {
      const { role, weight } = rule[i]!;
      item.set("weight", role === "other" ? weight * factor : weights[role]);
    });
    if (rule.some(({ role }) => role === "canary")) return;
    const added = this.#canary(node, rule);
    added.set("weight", canary);
    items.push(added);
  }

  /** A rule of its own for requests that match, before the one that takes the rest. */
  #matching(node: YAMLMap, rule: readonly Weighed[], match: readonly RolloutMatch[]): YAMLMap {
    const { matches, destinations } = this.#form;
    const own = withoutComment(node.clone() as YAMLMap);
    const before = (node.toJSON() as Record<string, object[] | undefined>)[matches] ?? [{}];
    const name = own.get("name");
    if (typeof name === "string") own.set("name", `${name}-canary`);
    own.delete(matches);
    const destination = this.#canary(node, rule);
    destination.delete("weight");
    const list = this.#destinations(own);
    list.items = [destination];
    own.set(destinations, list);
    const both = before.flatMap((one) => match.map((more) => this.#form.join(one, more)));
    own.items.unshift(new Document().createPair(matches, both));
    return own;
  }

  /** What the old version's destination has, port and headers with it, to the new version. */
  #canary(node: YAMLMap, rule: readonly Weighed[]): YAMLMap {
    const source = this.#destinations(node).items[rule.findIndex(isShifted)]!;
    const item = withoutComment(source.clone() as YAMLMap);
    this.#form.setCanary(item);
    return item;
  }
}

/** As in `http:` with `- match:` right below it, which is as good as with an indent. */
const dashesStandBelowKeys = /^( *)[\w-]+:[ \t]*(#.*)?\n([ \t]*#.*\n)*\1- /m;

function isShifted({ role, weight }: Weighed): boolean {
  return role === "stable" && weight > 0;
}

function withoutComment(node: YAMLMap): YAMLMap {
  node.commentBefore = null;
  node.comment = null;
  return node;
}
