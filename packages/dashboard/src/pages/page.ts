import type { DashboardView } from "@weft/control/dashboard/view";
import type { Location } from "../state/location.ts";

/** What every page is given. */
export interface PageProps {
  readonly view: DashboardView;
  readonly location: Location;
}
