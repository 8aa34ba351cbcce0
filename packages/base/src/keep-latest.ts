/**
 * The same function, which keeps what it made last: asked again with the very
 * same arguments it gives the very same result. For what is made of immutable
 * things, most of which stay from one time to the next.
 */
export function keepLatest<A extends readonly unknown[], R>(make: (...given: A) => R): (...given: A) => R {
  let last: { readonly given: A; readonly made: R } | undefined;
  return (...given) => {
    if (!last?.given.every((value, i) => value === given[i])) last = { given, made: make(...given) };
    return last.made;
  };
}
