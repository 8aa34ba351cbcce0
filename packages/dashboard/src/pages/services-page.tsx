import { DataTable } from "../panel/data-table.tsx";
import { Empty, Panel } from "../panel/panel.tsx";
import { formatLocation } from "../state/location.ts";
import { servicesQuery } from "../words/promql.ts";
import { byTrouble } from "../words/troubles.ts";
import type { PageProps } from "./page.ts";
import { RolloutsTable } from "./rollouts-table.tsx";
import { serviceColumns } from "./service-columns.tsx";
import { ServicePage } from "./service-page.tsx";

/** One service, or all of them to choose from. */
export function ServicesPage(props: PageProps) {
  const { view, location } = props;
  if (location.about !== "") return <ServicePage {...props} />;
  const { q = "" } = location.options;
  const all = Object.values(view.tables.services);
  const found = all.filter(({ namespace, name }) => `${namespace}/${name}`.includes(q.toLowerCase()));
  const search = (text: string) => {
    window.history.replaceState(null, "", formatLocation({ ...location, options: { q: text } }));
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  };
  return (
    <>
      <div class="filters">
        <label>
          Find{" "}
          <input
            type="search"
            value={q}
            placeholder="namespace/name"
            onInput={(event) => search(event.currentTarget.value)}
          />
        </label>
      </div>
      <RolloutsTable />
      <Panel
        title="Services"
        note={`${found.length} of ${all.length}`}
        cli="weft stat"
        promql={servicesQuery}
      >
        {found.length === 0 ? (
          <Empty
            why={all.length === 0 ? "No workload has registered." : `No service's name contains "${q}".`}
            todo={
              all.length === 0 ? (
                <>
                  Start one:{" "}
                  <code>weft run --name web --port 8080 --token-file web.token -- node app.js</code>
                </>
              ) : (
                "Clear the field to see all of them."
              )
            }
          />
        ) : (
          <DataTable
            caption="Services"
            rows={byTrouble(found)}
            keyOf={({ namespace, name }) => `${namespace}/${name}`}
            columns={[
              ...serviceColumns,
              {
                title: "Meshed",
                isNumber: true,
                cell: ({ meshed, instances, isExternal }) =>
                  isExternal ? "outside" : `${meshed}/${instances}`,
              },
            ]}
          />
        )}
      </Panel>
    </>
  );
}
