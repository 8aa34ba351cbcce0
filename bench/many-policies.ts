/** What the last of many policies allows, and the others tell apart. */
export type PolicyKind = "callers" | "paths";

/**
 * Policies of RBAC as JSON, in the form the control plane gives them: all but
 * the last name another caller, or the same and another path.
 */
export function manyPolicies(count: number, kind: PolicyKind): string {
  const policies = Array.from({ length: count }, (_, i): [string, object] => {
    const isLast = i === count - 1;
    const account = isLast || kind === "paths" ? "client" : `caller-${i}`;
    const prefix = isLast || kind === "callers" ? "/" : `/service-${i}/`;
    return [`ns[default]-policy[p-${String(i).padStart(5, "0")}]-rule[0]`, policy(account, prefix)];
  });
  return JSON.stringify(Object.fromEntries(policies));
}

function policy(account: string, prefix: string): object {
  const method = (exact: string) => ({ header: { name: ":method", string_match: { exact } } });
  const permission = {
    and_rules: {
      rules: [{ or_rules: { rules: [method("GET"), method("POST")] } }, { url_path: { path: { prefix } } }],
    },
  };
  const name = { exact: `spiffe://cluster.local/ns/default/sa/${account}` };
  return { permissions: [permission], principals: [{ authenticated: { principal_name: name } }] };
}
