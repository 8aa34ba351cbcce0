import type { RolloutStatus } from "@weft/control/api/rollout-protocol";
import { DataTable } from "../panel/data-table.tsx";
import { Panel } from "../panel/panel.tsx";
import { useQuery } from "../state/hooks.ts";
import { serviceLink } from "../state/location.ts";
import { formatMs, formatShare } from "../words/format.ts";
import type { RolloutList } from "./rollout-panel.tsx";

/** Every rollout under way and the last one of each service; nothing where there has been none. */
export function RolloutsTable() {
  const found = useQuery<RolloutList>("rollouts", 2_000);
  if (found.state !== "ready" || found.value.rollouts.length === 0) return null;
  return (
    <Panel title="Rollouts" note="under way, and the last of each service" cli="weft rollout status">
      <DataTable
        caption="Rollouts"
        rows={found.value.rollouts}
        keyOf={({ namespace, service }) => `${namespace}/${service}`}
        columns={[
          {
            title: "Service",
            cell: ({ namespace, service }) => (
              <a class="service-name" href={serviceLink(`${namespace}/${service}`)}>
                {service} <small>{namespace}</small>
              </a>
            ),
            sort: ({ namespace, service }) => `${namespace}/${service}`,
          },
          { title: "Versions", cell: ({ from, to }) => `${from} → ${to}` },
          { title: "Phase", cell: ({ phase }) => phase, sort: ({ phase }) => phase },
          { title: "Step", cell: stepText },
          { title: "Should get", isNumber: true, cell: ({ weight }) => `${weight} %` },
          { title: "Gets", isNumber: true, cell: ({ actualShare }) => formatShare(actualShare) },
          { title: "Success", isNumber: true, cell: successText },
          { title: "p99", isNumber: true, cell: ({ canary }) => formatMs(canary?.p99Ms) },
          { title: "Why", cell: ({ reason }) => reason ?? "" },
        ]}
      />
    </Panel>
  );
}

function stepText({ stage, stages, isOver, outcome }: RolloutStatus): string {
  return isOver ? (outcome ?? "") : `${Math.min(stage + 1, stages.length)} of ${stages.length}`;
}

function successText({ canary }: RolloutStatus): string {
  return formatShare(canary && canary.requests > 0 ? 1 - canary.failures / canary.requests : undefined);
}
