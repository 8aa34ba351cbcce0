import type { WorkloadRow } from "@weft/control/dashboard/view";
import { Empty, Panel, Tiles } from "../panel/panel.tsx";
import { formatAge, formatIdentity, formatShare } from "../words/format.ts";
import { principalsQuery } from "../words/promql.ts";
import { callMatrix } from "./call-matrix.ts";
import { CertificateTimeline } from "./certificate-timeline.tsx";
import { EventList, newestFirst } from "./event-list.tsx";
import { MatrixTable } from "./matrix-table.tsx";
import type { PageProps } from "./page.ts";

/** Who everyone is, until when, who called whom, and whether it was secured. */
export function SecurityPage({ view }: PageProps) {
  const { mesh, tables } = view;
  const workloads = Object.values(tables.workloads);
  const nowMs = mesh.atMs;
  const next = workloads
    .map(({ certificateNotAfterMs }) => certificateNotAfterMs)
    .filter((ms) => ms !== undefined)
    .sort((a, b) => a - b)[0];
  const events = newestFirst(tables.events).filter(({ kind }) =>
    ["certificate", "certificate refused", "token", "refused"].includes(kind),
  );
  const identities = new Set(workloads.map(({ identity }) => formatIdentity(identity)));
  return (
    <>
      <Tiles
        tiles={[
          {
            label: "Over mutual TLS",
            value: formatShare(mesh.securedRate),
            tone: isBelow(mesh.securedRate) ? "warn" : undefined,
          },
          { label: "Identities", value: String(identities.size), note: `of ${workloads.length} workloads` },
          {
            label: "Next expiry",
            value: next === undefined ? "–" : formatAge(next - nowMs),
            note: "renewed at half of their life",
            tone: next !== undefined && next < nowMs ? "bad" : undefined,
          },
          { label: "Root expires in", value: formatAge(mesh.rootNotAfterMs - nowMs) },
          { label: "Trust domain", value: mesh.trustDomain },
        ]}
      />
      <Panel
        title="Who called whom"
        note="callers in rows, what they called in columns"
        cli="weft edges"
        promql={principalsQuery}
      >
        <MatrixTable matrix={callMatrix(Object.values(tables.edges))} />
      </Panel>
      <Panel
        title="Certificates"
        note="issued, half of their life, expiry"
        cli="weft proxy-config secrets WORKLOAD"
        promql="citadel_server_root_cert_expiry_timestamp - time()"
      >
        <Certificates workloads={workloads} nowMs={nowMs} />
      </Panel>
      <Panel
        title="Certificate events"
        note="newest first"
        cli="weft ca status"
        promql="increase(citadel_server_success_cert_issuance_count[1h])"
      >
        <EventList events={events} limit={20} />
      </Panel>
    </>
  );
}

function isBelow(share: number | undefined): boolean {
  return share !== undefined && share < 0.999;
}

function Certificates({
  workloads,
  nowMs,
}: {
  readonly workloads: readonly WorkloadRow[];
  readonly nowMs: number;
}) {
  const certified = workloads.filter(
    (row): row is WorkloadRow & { certificateNotBeforeMs: number; certificateNotAfterMs: number } =>
      row.certificateNotBeforeMs !== undefined && row.certificateNotAfterMs !== undefined,
  );
  if (certified.length === 0) {
    return (
      <Empty
        why="No workload has said until when its certificate is valid."
        todo={
          <>
            Agents say it every two seconds: <code>weft status</code> shows whether they are connected.
          </>
        }
      />
    );
  }
  return <CertificateTimeline workloads={certified} nowMs={nowMs} />;
}
