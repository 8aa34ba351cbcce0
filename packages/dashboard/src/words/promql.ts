/** Where the same numbers are, for those who have Prometheus. */

const window = "[1m]";

export interface PromQueries {
  readonly traffic: string;
  readonly success: string;
  readonly latency: string;
  readonly denied: string;
  readonly tcp: string;
}

/** Queries for what destinations counted, narrowed by label matchers such as `destination_service_name="reviews"`. */
export function queriesFor(matchers: readonly string[]): PromQueries {
  const where = (...more: readonly string[]) =>
    `{${['reporter="destination"', ...matchers, ...more].join(",")}}`;
  const requests = (...more: readonly string[]) =>
    `sum(rate(istio_requests_total${where(...more)}${window}))`;
  return {
    traffic: requests(),
    success: `${requests('response_code!~"5.."')} / ${requests()}`,
    latency: `histogram_quantile(0.99, sum by (le) (rate(istio_request_duration_milliseconds_bucket${where()}${window})))`,
    denied: requests('response_code="403"'),
    tcp: `sum(istio_tcp_connections_opened_total${where()}) - sum(istio_tcp_connections_closed_total${where()})`,
  };
}

export function serviceMatchers(service: {
  readonly namespace: string;
  readonly name: string;
}): readonly string[] {
  return [
    `destination_service_name=${quoted(service.name)}`,
    `destination_service_namespace=${quoted(service.namespace)}`,
  ];
}

export const servicesQuery = `sum by (destination_service_name) (rate(istio_requests_total{reporter="destination"}${window}))`;
export const edgesQuery = `sum by (source_workload, destination_service_name, connection_security_policy) (rate(istio_requests_total{reporter="destination"}${window}))`;
export const principalsQuery = `sum by (source_principal, destination_service_name, connection_security_policy) (rate(istio_requests_total{reporter="destination"}${window}))`;
export const versionsQuery = (matchers: readonly string[]): string =>
  `sum by (destination_version) (rate(istio_requests_total{${['reporter="destination"', ...matchers].join(",")}}${window}))`;
export const failuresQuery = (matchers: readonly string[]): string =>
  `sum by (source_principal, response_code, response_flags) (rate(istio_requests_total{${[...matchers, 'response_code=~"5..|403"'].join(",")}}${window})) > 0`;

function quoted(text: string): string {
  return JSON.stringify(text);
}
