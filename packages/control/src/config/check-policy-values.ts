import type { Finding } from "./finding.ts";

type Values = readonly string[] | undefined;

export function checkPort(port: string, path: string, find: Finding): void {
  if (!/^\d{1,5}$/.test(port)) find.error("W1208", path, `${path}: "${port}" is not a port`, "1 to 65535");
  else find.port(path, Number(port));
}

/** `account` or `namespace/account`. */
export function checkAccounts(values: Values, path: string, find: Finding): void {
  values?.forEach((value, i) => {
    if (/^[^/*]+(\/[^/*]+)?$/.test(value) && value.length <= 320) return;
    const hint = "write account, or namespace/account";
    find.error("W1211", `${path}[${i}]`, `${path}[${i}]: "${value}" is not a service account`, hint);
  });
}

/** At most one `*`, first or last. */
export function checkTrustDomains(values: Values, path: string, find: Finding): void {
  values?.forEach((value, i) => {
    if (/^(\*?[^*/]+|[^*/]+\*|\*)$/.test(value)) return;
    const hint = "write a name, or one * at its start or end";
    find.error("W1211", `${path}[${i}]`, `${path}[${i}]: "${value}" is not a trust domain`, hint);
  });
}
