import { ranges } from "../chart/visible-range.ts";
import { formatLocation, type Location } from "../state/location.ts";

/** How much of the last hour the charts show. */
export function RangeChoice({ location }: { readonly location: Location }) {
  const { range = "" } = location.options;
  return (
    <nav class="ranges" aria-label="How much the charts show">
      {ranges.map((one) => (
        <a
          key={one}
          href={formatLocation({ ...location, options: { ...location.options, range: one } })}
          aria-current={one === range ? "true" : undefined}
        >
          {one === "" ? "all there is" : one === "60" ? "1 h" : `${one} min`}
        </a>
      ))}
    </nav>
  );
}
