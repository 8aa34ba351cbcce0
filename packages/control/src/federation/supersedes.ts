import { formatSpiffeBundle, type SpiffeBundle } from "@weft/identity/spiffe-bundle";

/**
 * Why a bundle may not take the place of the one that is known; undefined where
 * it may. By sequence numbers, where there are any: an old bundle would bring
 * back roots that its trust domain distrusts, and a new one has a new number.
 *
 * @see SPIFFE Trust Domain and Bundle §4.1.1
 */
export function whyNotNewer(next: SpiffeBundle, known: SpiffeBundle): string | undefined {
  if (known.sequence === undefined) return undefined;
  if (next.sequence === undefined) return `it has no sequence number, where ${known.sequence} is known`;
  if (next.sequence < known.sequence)
    return `its sequence number ${next.sequence} is below ${known.sequence}, which is known`;
  if (next.sequence === known.sequence && !isSameContent(next, known)) {
    return `it differs from the one that is known, and has the same sequence number ${known.sequence}`;
  }
  return undefined;
}

/** Whether both have the same keys. */
export function isSameContent(a: SpiffeBundle, b: SpiffeBundle): boolean {
  return contentOf(a) === contentOf(b);
}

/** The keys of a bundle, as text. */
export function contentOf(bundle: SpiffeBundle): string {
  return formatSpiffeBundle({ ...bundle, sequence: undefined, refreshHintS: undefined });
}
