import type { ComponentChildren } from "preact";

/** A picture that is wider than a narrow screen: it is moved with the arrow keys once it has the focus. */
export function WideChart({ children }: { readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
    <figure class="chart wide" tabIndex={0}>
      {children}
    </figure>
  );
}
