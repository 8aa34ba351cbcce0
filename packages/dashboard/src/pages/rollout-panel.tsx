import type { RolloutStatus, VersionCalls } from "@weft/control/api/rollout-protocol";
import { round } from "../chart/line-path.ts";
import { Empty, Panel } from "../panel/panel.tsx";
import { useQuery } from "../state/hooks.ts";
import { formatMs, formatShare, formatTime, none } from "../words/format.ts";
import { rolloutSteps } from "./rollout-steps.ts";

export interface RolloutList {
  readonly rollouts: readonly RolloutStatus[];
}

const width = 560;
const height = 150;
const area = { left: 40, right: width - 8, top: 14, bottom: height - 24 };

/** The rollout of a service, under way or the last one: its steps, what each version does, and what happened. */
export function RolloutPanel({ namespace, name }: { readonly namespace: string; readonly name: string }) {
  const all = useQuery<RolloutList>("rollouts", 2_000);
  const isKnown =
    all.state === "ready" &&
    all.value.rollouts.some((one) => one.namespace === namespace && one.service === name);
  const path = `rollouts/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
  const found = useQuery<RolloutStatus>(isKnown ? path : undefined, 2_000);
  if (!isKnown) return null;
  const flag = namespace === "default" ? "" : ` -n ${namespace}`;
  const status = found.state === "ready" ? found.value : undefined;
  return (
    <Panel
      title="Rollout"
      note={status ? `${status.from} → ${status.to}, ${status.phase}` : ""}
      cli={`weft rollout status ${name}${flag}`}
    >
      {status ? <Shown status={status} /> : <p class="note">Reading the rollout…</p>}
    </Panel>
  );
}

function Shown({ status }: { readonly status: RolloutStatus }) {
  const { events, reason, isOver, waitingFor } = status;
  return (
    <>
      <Steps status={status} />
      {reason !== undefined && <p class="outcome bad">{reason}</p>}
      {waitingFor !== undefined && !isOver && <p class="outcome">waits: {waitingFor}</p>}
      {!isOver && <Verdict status={status} />}
      <ol class="events">
        {events
          .toReversed()
          .slice(0, 12)
          .map(({ number, atMs, kind, message, canary }) => (
            <li key={number} class={kind === "failed" || kind === "rolled back" ? "bad" : ""}>
              <time dateTime={new Date(atMs).toISOString()}>{formatTime(atMs)}</time>
              <span class="kind">{kind}</span>
              <span class="what">
                {message}
                {canary && ` (${status.to}: ${callsText(canary)})`}
              </span>
            </li>
          ))}
      </ol>
    </>
  );
}

/** Each step as high as its share, and across it what the new version truly gets. */
function Steps({ status }: { readonly status: RolloutStatus }) {
  const steps = rolloutSteps(status);
  const { actualShare, weight, from, to, stage, phase } = status;
  const slot = (area.right - area.left) / Math.max(1, steps.length);
  const y = (share: number) => area.bottom - share * (area.bottom - area.top);
  const gets = actualShare === undefined ? "" : `, gets ${formatShare(actualShare)}`;
  const label = `Rollout from ${from} to ${to}: step ${Math.min(stage + 1, steps.length)} of ${steps.length}, should get ${weight} %${gets}, ${phase}`;
  return (
    <figure class="chart rollout">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {[0, 0.5, 1].map((share) => (
          <g key={share} class="axis">
            <line x1={area.left} x2={area.right} y1={round(y(share))} y2={round(y(share))} />
            <text x={area.left - 6} y={round(y(share)) + 4} text-anchor="end">
              {share * 100} %
            </text>
          </g>
        ))}
        {steps.map(({ label: name, height: share, state, part }, i) => (
          <g key={i} class={`step ${state}`}>
            <rect
              class="outline"
              x={round(area.left + i * slot + 4)}
              y={round(y(share))}
              width={round(slot - 8)}
              height={round(area.bottom - y(share))}
            />
            <rect
              class="filled"
              x={round(area.left + i * slot + 4)}
              y={round(y(share))}
              width={round((slot - 8) * part)}
              height={round(area.bottom - y(share))}
            />
            <text class="time" x={round(area.left + (i + 0.5) * slot)} y={height - 8} text-anchor="middle">
              {name}
            </text>
          </g>
        ))}
        {actualShare !== undefined && (
          <g class="actual">
            <line x1={area.left} x2={area.right} y1={round(y(actualShare))} y2={round(y(actualShare))} />
            <text x={area.right} y={round(y(actualShare)) - 4} text-anchor="end">
              gets {formatShare(actualShare)}
            </text>
          </g>
        )}
      </svg>
    </figure>
  );
}

/** What the step is judged by, beside what it should be. */
function Verdict({ status }: { readonly status: RolloutStatus }) {
  const { canary, stable, criteria, from, to, elapsedMs, intervalMs, failedChecks, threshold } = status;
  if (!canary || !stable || elapsedMs === undefined) {
    return <Empty why="Nothing is measured before every proxy has acknowledged the step." />;
  }
  const rows: readonly (readonly [string, (calls: VersionCalls) => string, string])[] = [
    ["calls", ({ requests }) => String(requests), `at least ${criteria.minRequests}`],
    ["success", successText, criteria.successPercent === undefined ? none : `≥ ${criteria.successPercent} %`],
    ["p99", ({ p99Ms }) => formatMs(p99Ms), criteria.p99Ms === undefined ? none : `≤ ${criteria.p99Ms} ms`],
  ];
  const time = `${Math.floor(elapsedMs / 1000)} of ${intervalMs / 1000} s`;
  return (
    <div class="table-frame">
      <table>
        <caption class="unseen">What the step is judged by</caption>
        <thead>
          <tr>
            <th scope="col">{time}</th>
            <th scope="col" class="number">
              {to}
            </th>
            <th scope="col" class="number">
              {from}
            </th>
            <th scope="col" class="number">
              wanted
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([title, text, wanted]) => (
            <tr key={title}>
              <td>{title}</td>
              <td class="number">{text(canary)}</td>
              <td class="number">{text(stable)}</td>
              <td class="number">{wanted}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {threshold > 1 && (
        <p class="note">
          {failedChecks} of {threshold} failed checks
        </p>
      )}
    </div>
  );
}

function successText({ requests, failures }: VersionCalls): string {
  return formatShare(requests === 0 ? undefined : 1 - failures / requests);
}

function callsText(calls: VersionCalls): string {
  return `${calls.requests} calls, ${successText(calls)}, p99 ${formatMs(calls.p99Ms)}`;
}
