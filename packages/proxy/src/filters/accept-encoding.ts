/** Which of the offered encodings a client wants. */
export interface EncodingChoice {
  readonly kind: "named" | "wildcard" | "identity" | "none";
  /** "" where nothing of the offered is wanted. */
  readonly encoding: string;
}

const none: EncodingChoice = { kind: "none", encoding: "" };

/**
 * The encoding to answer in: of those offered the one with the highest weight;
 * the first offered wins a tie when `prefersOffered`, the first the client names
 * otherwise.
 *
 * @see RFC 9110 §12.5.3
 */
export function encodingsOf(
  accepted: string,
  offered: readonly string[],
  prefersOffered: boolean,
): EncodingChoice {
  const refused = new Set<string>();
  const wanted: { name: string; weight: number }[] = [];
  for (const part of accepted.split(",").slice(0, 32)) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    if (name === "") continue;
    const weight = weightOf(parameters);
    if (weight === undefined) continue;
    if (weight === 0) refused.add(name);
    else wanted.push({ name, weight });
  }
  let best: EncodingChoice = none;
  let bestWeight = 0;
  for (const { name, weight } of wanted) {
    const isBetter =
      weight > bestWeight ||
      (weight === bestWeight &&
        prefersOffered &&
        offered.includes(name) &&
        offered.indexOf(name) < offered.indexOf(best.encoding));
    if (!isBetter) continue;
    const choice = choiceOf(name, offered, refused, wanted);
    if (!choice) continue;
    best = choice;
    bestWeight = weight;
  }
  return best;
}

function choiceOf(
  name: string,
  offered: readonly string[],
  refused: ReadonlySet<string>,
  wanted: readonly { readonly name: string }[],
): EncodingChoice | undefined {
  if (name === "identity") return { kind: "identity", encoding: "" };
  if (name === "*") {
    const free = offered.find((one) => !refused.has(one) && !wanted.some((other) => other.name === one));
    return free === undefined ? undefined : { kind: "wildcard", encoding: free };
  }
  return offered.includes(name) ? { kind: "named", encoding: name } : undefined;
}

/** Undefined for a weight that is none. */
function weightOf(parameters: readonly string[]): number | undefined {
  for (const parameter of parameters) {
    const found = /^q\s*=\s*(.*)$/.exec(parameter);
    if (!found) continue;
    return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(found[1]!) ? Number(found[1]) : undefined;
  }
  return 1;
}
