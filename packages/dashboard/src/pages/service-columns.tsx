import type { ServiceRow } from "@weft/control/dashboard/view";
import { Sign } from "../panel/signs.tsx";
import { serviceLink } from "../state/location.ts";
import { formatMs, formatRate, formatShare } from "../words/format.ts";
import { severityOf, troublesOf } from "../words/troubles.ts";

/** A service in one line: its name, what is wrong with it, and its golden signals. */
export const serviceColumns = [
  {
    title: "Service",
    cell: (service: ServiceRow) => (
      <a class="service-name" href={serviceLink(`${service.namespace}/${service.name}`)}>
        <Sign severity={severityOf(service)} />
        <span>
          {service.name}
          <small>{service.namespace || "outside the mesh"}</small>
        </span>
      </a>
    ),
    sort: ({ namespace, name }: ServiceRow) => `${name} ${namespace}`,
  },
  {
    title: "Trouble",
    cell: (service: ServiceRow) => troublesOf(service)[0]?.text ?? "",
    sort: (service: ServiceRow) => -(troublesOf(service)[0]?.weight ?? 0),
  },
  {
    title: "Calls/s",
    isNumber: true,
    cell: (service: ServiceRow) => formatRate(service.requestsPerSecond),
    sort: (service: ServiceRow) => service.requestsPerSecond ?? -1,
  },
  {
    title: "Success",
    isNumber: true,
    cell: (service: ServiceRow) => formatShare(service.successRate),
    sort: (service: ServiceRow) => service.successRate ?? 2,
  },
  {
    title: "p99",
    isNumber: true,
    cell: (service: ServiceRow) => formatMs(service.p99Ms),
    sort: (service: ServiceRow) => service.p99Ms ?? -1,
  },
] as const;
