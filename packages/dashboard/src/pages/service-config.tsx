import type { PolicyDetail, RouteDetail, ServiceDetail } from "@weft/control/dashboard/view";
import { DataTable } from "../panel/data-table.tsx";
import { Empty } from "../panel/panel.tsx";
import type { Loaded } from "../state/hooks.ts";
import { formatShare } from "../words/format.ts";
import { Origin } from "./origin.tsx";

type Props = { readonly detail: Loaded<ServiceDetail> };

export function RoutesTable({ detail }: Props) {
  if (detail.state === "loading") return <p class="note">Asking for its routes…</p>;
  if (detail.state === "failed") return <Empty why={`Its routes are not known: ${detail.why}.`} />;
  const { routes } = detail.value;
  if (routes.length === 0) {
    return (
      <Empty
        why="No VirtualService names this host: every call goes to whichever instance the balancer picks."
        todo={
          <>
            Split or shape its traffic with one: <code>weft apply -f virtual-service.yaml</code>
          </>
        }
      />
    );
  }
  return (
    <DataTable
      caption="Routes, the first that matches applies"
      rows={routes.map((route, i) => ({ ...route, i }))}
      keyOf={({ i }) => String(i)}
      columns={[
        {
          title: "When",
          cell: ({ match, protocol }) => (protocol === "http" ? match : `${protocol}: ${match}`),
        },
        { title: "Goes to", cell: (route) => <Destinations route={route} /> },
        { title: "Written at", cell: ({ origin }) => <Origin origin={origin} /> },
      ]}
    />
  );
}

function Destinations({ route }: { readonly route: RouteDetail }) {
  return (
    <ul class="plain">
      {route.destinations.map(({ host, subset, share }) => (
        <li key={`${host}${subset}`}>
          {host.split(".")[0]} {subset} {route.destinations.length > 1 && <b>{formatShare(share)}</b>}
        </li>
      ))}
      {route.action && <li class="note">{route.action}</li>}
    </ul>
  );
}

export function PoliciesTable({ detail }: Props) {
  if (detail.state === "loading") return <p class="note">Asking for its policies…</p>;
  if (detail.state === "failed") return <Empty why={`Its policies are not known: ${detail.why}.`} />;
  const { policies } = detail.value;
  if (policies.length === 0) {
    return (
      <Empty
        why="No AuthorizationPolicy selects its workloads: everyone in the mesh may call it."
        todo={
          <>
            Say who may: <code>weft apply -f authorization-policy.yaml</code>
          </>
        }
      />
    );
  }
  return (
    <DataTable
      caption="Authorization policies"
      rows={policies}
      keyOf={({ action, namespace, name }: PolicyDetail) => `${action} ${namespace}/${name}`}
      columns={[
        { title: "Action", cell: ({ action }) => action },
        { title: "Policy", cell: ({ namespace, name }) => `${namespace}/${name}` },
        {
          title: "Rules",
          isNumber: true,
          cell: ({ rules, action }) =>
            rules === 0 ? (action === "ALLOW" ? "nobody" : "none") : String(rules),
        },
        { title: "Written at", cell: ({ origin }) => <Origin origin={origin} /> },
      ]}
    />
  );
}
