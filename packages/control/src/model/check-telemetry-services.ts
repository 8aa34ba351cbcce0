import type { Diagnostics } from "@weft/base/diagnostics";
import type { ResourceOf } from "../config/resource.ts";
import { providerNamed } from "./merge-signals.ts";
import type { Mesh } from "./mesh.ts";
import { destinationOf } from "./signals.ts";

/** Whom a Telemetry tells something must be there to be told. */
export function checkTelemetryServices(
  { spec, origins }: ResourceOf<"Telemetry">,
  { services, options }: Pick<Mesh, "services" | "options">,
  diagnostics: Diagnostics,
): void {
  for (const field of ["tracing", "metrics", "accessLogging"] as const) {
    spec[field]?.forEach(({ providers = [] }, i) => {
      providers.forEach(({ name }, j) => {
        const provider = providerNamed(name, options.defaults);
        const place = provider && destinationOf(provider);
        if (!place || services.get(place.host)?.ports.some(({ number }) => number === place.port)) return;
        const message = `the provider's service ${place.host} has no port ${place.port} or is not known: it is told nothing`;
        const at = origins.at(`spec.${field}[${i}].providers[${j}].name`);
        diagnostics.warning("IST0101", at, message, "it may register later, or write a ServiceEntry");
      });
    });
  }
}
