import { isMetricVariable, metricVariableHint } from "@weft/xds/metric-settings";
import type { Finding } from "./finding.ts";
import { joinPath } from "./origins.ts";
import type { ProxyConfigSpec } from "./service-specs.ts";

/** As many as a proxy can be started with. */
const maxWorkers = 256;
const maxVariables = 64;

export function checkProxyConfig(spec: ProxyConfigSpec, find: Finding): void {
  checkProxySettings(spec.concurrency, spec.environmentVariables, (field) => `spec.${field}`, find);
}

type Field = "concurrency" | "environmentVariables";

/** What holds wherever settings of proxies are written. */
export function checkProxySettings(
  concurrency: number | null | undefined,
  variables: Readonly<Record<string, string>> = {},
  pathOf: (field: Field) => string,
  find: Finding,
): void {
  find.range(pathOf("concurrency"), concurrency ?? undefined, 0, maxWorkers);
  const path = pathOf("environmentVariables");
  const names = Object.keys(variables);
  if (names.length > maxVariables) find.error("W1105", path, `${path} has more than ${maxVariables} entries`);
  for (const name of names) {
    const at = joinPath(path, name);
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      find.error("W1105", at, `${at} is not the name of a variable`, "letters, digits and underscores");
    } else if (isMetricVariable(name)) {
      const hint = metricVariableHint(name, variables[name]!);
      if (hint !== undefined) {
        const message = `${at}: ${JSON.stringify(variables[name])} says nothing`;
        find.error("W1105", at, message, `write ${hint}`);
      }
    } else if (isReserved(name)) {
      const message = `${at} decides what code the proxy runs, or who it says it is`;
      find.error("W1302", at, message, "say it where 'weft run' is called");
    }
    if (/[\0\r\n]/.test(variables[name]!)) find.error("W1105", at, `${at} has a line break`);
  }
}

/** A variable that loads code, or that the agent sets itself. */
function isReserved(name: string): boolean {
  return /^(LD_|NODE_|DYLD_|OPENSSL_|SSL_|WEFT_(?!TAG_)|PATH$|OTEL_RESOURCE_ATTRIBUTES$)/.test(name);
}
