import type { ServiceRow, VersionRow } from "@weft/control/dashboard/view";
import { memo } from "../panel/memo.ts";
import { formatMs, formatRate, formatShare } from "../words/format.ts";
import { type Severity, severityNames, troublesOf } from "../words/troubles.ts";
import { placeName } from "./edge-look.ts";
import type { Place } from "./topology-layout.ts";

/** Plain values, so that a node is drawn again only when it says something else. */
export interface TopologyNodeProps {
  readonly id: string;
  readonly place: Place;
  readonly severity: Severity;
  /** The line below its name; "" where there is no room for one. */
  readonly words: string;
  /** `v1 0.25` lines. */
  readonly versions: string;
  readonly href: string;
  readonly isFocus: boolean;
  readonly isDim: boolean;
}

/** A service in the picture: its name, what there is to say of it, and what its versions get. */
export const TopologyNode = memo(
  ({ id, place, severity, words, versions, href, isFocus, isDim }: TopologyNodeProps) => {
    const { x, y, width, height } = place;
    const shown = [shortened(placeName(id)), shortened(words, 26)].filter(Boolean);
    const lines =
      versions === "" ? [] : versions.split("\n").map((line) => line.split(" ") as [string, string]);
    return (
      <a
        href={href}
        class={`node ${severity}${isFocus ? " focus" : ""}${isDim ? " dim" : ""}`}
        aria-label={nameOf(shown, lines, id, severity)}
        aria-current={isFocus ? "true" : undefined}
      >
        <rect class="card" x={x} y={y} width={width} height={height} rx={7} />
        <rect class="edge-of-card" x={x} y={y + 7} width={4} height={height - 14} />
        <text class="name" x={x + 14} y={y + 18}>
          {shown[0]}
        </text>{" "}
        {words && (
          <text class="numbers" x={x + 14} y={y + 34}>
            {shown[1]}
          </text>
        )}{" "}
        {lines.map(([version, share], i) => (
          <g key={version} class="version">
            <rect class="rail" x={x + 62} y={y + 45 + i * 17} width={64} height={8} rx={2} />
            <rect class="share" x={x + 62} y={y + 45 + i * 17} width={64 * Number(share)} height={8} rx={2} />
            <text x={x + 14} y={y + 53 + i * 17}>
              {shortened(version, 7)}
            </text>{" "}
            <text x={x + width - 8} y={y + 53 + i * 17} text-anchor="end">
              {shownShare(share)}
            </text>{" "}
          </g>
        ))}
      </a>
    );
  },
);

/** What can be read in it comes first, as it stands there: who speaks to the page says that. */
function nameOf(
  shown: readonly string[],
  versions: readonly (readonly [string, string])[],
  id: string,
  severity: Severity,
): string {
  const shares = versions.map(([version, share]) => `${shortened(version, 7)} ${shownShare(share)}`);
  return `${[...shown, ...shares].join(" ")}, ${severityNames[severity]}, ${id}`;
}

function shownShare(share: string): string {
  return formatShare(Math.round(Number(share) * 100) / 100);
}

/** What is wrong with a service, else how busy it is; `sends` is its calls to others. */
export function nodeWords(service: ServiceRow | undefined, sends: number): string {
  const trouble = service && troublesOf(service)[0]?.text;
  if (trouble) return trouble;
  if (service?.requestsPerSecond) {
    return `${formatRate(service.requestsPerSecond)}/s · ${formatMs(service.p99Ms)}`;
  }
  if (service && service.tcpConnections > 0) return `TCP, ${service.tcpConnections} open`;
  return sends > 0 ? `sends ${formatRate(sends)}/s` : "no calls";
}

/** Of several versions a line each: its name, and its share of the calls. */
export function versionText(versions: readonly VersionRow[] | undefined): string {
  if (!versions || versions.length < 2) return "";
  const total = versions.reduce((sum, { requestsPerSecond = 0 }) => sum + requestsPerSecond, 0);
  return versions
    .map(({ version, requestsPerSecond = 0 }) => {
      const share = total > 0 ? requestsPerSecond / total : 0;
      return `${version.replaceAll(" ", "-") || "-"} ${share.toFixed(2)}`;
    })
    .join("\n");
}

function shortened(text: string, most = 20): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
