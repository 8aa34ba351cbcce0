import { hasLabels } from "./host.ts";

type Labels = Readonly<Record<string, string>>;

interface Labelled {
  readonly namespace: string;
  readonly labels: Labels;
}

/** The things of one namespace, in their order. */
interface Namespace<T> {
  readonly all: T[];
  /** By the name of a label, then by its value. */
  readonly byLabel: Map<string, Map<string, T[]>>;
}

const none: readonly never[] = [];

/** Things with labels: those that have certain ones are found without a look at all. */
export class LabelIndex<T extends Labelled> {
  readonly #namespaces = new Map<string, Namespace<T>>();

  constructor(all: Iterable<T>) {
    for (const one of all) {
      const own = namespaceOf(this.#namespaces, one.namespace);
      own.all.push(one);
      for (const [name, value] of Object.entries(one.labels)) add(own, name, value, one);
    }
  }

  /** Those of a namespace with all of these labels, in their order. */
  select(namespace: string, labels: Labels): readonly T[] {
    const own = this.#namespaces.get(namespace);
    if (!own) return none;
    let fewest: readonly T[] = own.all;
    for (const [name, value] of Object.entries(labels)) {
      const having = own.byLabel.get(name)?.get(value) ?? none;
      if (having.length <= fewest.length) fewest = having;
    }
    return fewest.filter((one) => hasLabels(one.labels, labels));
  }
}

/** Something that chooses by labels, and its place among its like. */
interface Choosing<T> {
  readonly one: T;
  readonly place: number;
  readonly labels: Labels | undefined;
}

/** Things that choose by labels: those that choose a workload are found without a look at all. */
export class SelectorIndex<T> {
  readonly #namespaces = new Map<string, Namespace<Choosing<T>>>();

  /** @param selectorsOf by any of which it chooses, in a namespace; one without labels chooses all there */
  constructor(
    all: readonly T[],
    selectorsOf: (one: T) => readonly { readonly namespace: string; readonly labels?: Labels | undefined }[],
  ) {
    all.forEach((one, place) => {
      for (const { namespace, labels } of selectorsOf(one)) {
        const own = namespaceOf(this.#namespaces, namespace);
        const [first] = Object.entries(labels ?? {});
        const choosing = { one, place, labels };
        if (first) add(own, ...first, choosing);
        else own.all.push(choosing);
      }
    });
  }

  /** Those of a namespace, or of any of two, that choose these labels; in their order. */
  choosing(labels: Labels, namespace: string, further = namespace): readonly T[] {
    const found: Choosing<T>[] = [];
    this.#find(labels, namespace, found);
    if (further !== namespace) this.#find(labels, further, found);
    if (found.length === 0) return none;
    if (found.length === 1) return [found[0]!.one];
    found.sort((a, b) => a.place - b.place);
    return found.filter(({ place }, i) => place !== found[i - 1]?.place).map(({ one }) => one);
  }

  #find(labels: Labels, namespace: string, found: Choosing<T>[]): void {
    const own = this.#namespaces.get(namespace);
    if (!own) return;
    for (const one of own.all) found.push(one);
    if (own.byLabel.size === 0) return;
    for (const name in labels) {
      for (const one of own.byLabel.get(name)?.get(labels[name]!) ?? none) {
        if (hasLabels(labels, one.labels)) found.push(one);
      }
    }
  }
}

function namespaceOf<T>(namespaces: Map<string, Namespace<T>>, name: string): Namespace<T> {
  let own = namespaces.get(name);
  if (!own) {
    own = { all: [], byLabel: new Map() };
    namespaces.set(name, own);
  }
  return own;
}

function add<T>({ byLabel }: Namespace<T>, name: string, value: string, one: T): void {
  let byValue = byLabel.get(name);
  if (!byValue) {
    byValue = new Map();
    byLabel.set(name, byValue);
  }
  const list = byValue.get(value);
  if (list) list.push(one);
  else byValue.set(value, [one]);
}
