import { dashboardLogin } from "../protocol.ts";
import { route } from "../route.ts";

export const openDashboardRoute = route({
  id: "openDashboard",
  method: "POST",
  path: "/api/v1/dashboard",
  role: "read",
  summary: "An address that opens the dashboard once, within two minutes",
  answer: dashboardLogin,
  handle: (backend, { caller, origin }) => backend.openDashboard(caller, origin),
});

export const dashboardRoutes = [openDashboardRoute] as const;
