/**
 * Lets only known tenants in, by the first label of the host, and tells the
 * service which tenant it is; answers say which filter saw them.
 *
 *   config: { tenants: { acme: gold, initech: silver } }
 *   phases: [REQUEST, RESPONSE]
 */
import type { CreateFilter } from "weft/filter";

interface Config {
  /** The plan of each tenant. */
  readonly tenants?: Readonly<Record<string, string>>;
}

const createFilter: CreateFilter<Config> = ({ tenants }) => {
  if (!tenants) throw new Error("config needs `tenants`");
  const plans = new Map(Object.entries(tenants));
  return {
    onRequest({ authority }) {
      const tenant = authority.split(".", 1)[0]!;
      const plan = plans.get(tenant);
      if (plan === undefined) return { respond: { status: 404, body: `no tenant ${tenant}\n` } };
      return { headers: { remove: ["x-internal"], set: { "x-tenant": tenant, "x-plan": plan } } };
    },
    onResponse({ status }) {
      return status < 500 ? { headers: { add: { vary: "host" } } } : undefined;
    },
  };
};

export default createFilter;
