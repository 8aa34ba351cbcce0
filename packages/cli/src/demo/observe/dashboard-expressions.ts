/** Every different expression of a Grafana dashboard, which is given as its JSON. */
export function expressionsOf(json: string): readonly string[] {
  const found = new Set<string>();
  JSON.parse(json, (key, value: unknown) => {
    if (key === "expr" && typeof value === "string") found.add(value);
    return value;
  });
  return [...found];
}

/** An expression as Grafana sends it where "All" is chosen for every variable. */
export function chooseAll(expression: string, rateInterval: string): string {
  return expression.replaceAll("$__rate_interval", rateInterval).replace(/\$\w+/g, ".*");
}
