import type { Analyzer } from "./analyzer.ts";

/** W2412: values of policies that no call can have. */
export const findImpossibleSources: Analyzer = ({ resources }, diagnostics) => {
  for (const { spec, origins } of resources.AuthorizationPolicy) {
    const report = (
      path: string,
      values: readonly string[] | undefined,
      isWrong: RegExp,
      why: string,
      hint: string,
    ) => {
      values?.forEach((value, k) => {
        if (isWrong.test(value))
          diagnostics.warning(
            "W2412",
            origins.at(`${path}[${k}]`),
            `"${value}" matches nothing: ${why}`,
            hint,
          );
      });
    };
    spec.rules?.forEach((rule, i) => {
      rule.from?.forEach(({ source }, j) => {
        for (const field of ["principals", "notPrincipals"] as const) {
          report(
            `spec.rules[${i}].from[${j}].source.${field}`,
            source?.[field],
            /^spiffe:\/\//,
            "principals are written without a scheme",
            "write cluster.local/ns/NAMESPACE/sa/ACCOUNT",
          );
        }
      });
      rule.to?.forEach(({ operation }, j) => {
        const path = `spec.rules[${i}].to[${j}].operation`;
        for (const field of ["paths", "notPaths"] as const) {
          report(`${path}.${field}`, operation?.[field], /^[^/*]/, "paths begin with /", "write /… or *…");
        }
        for (const field of ["methods", "notMethods"] as const) {
          report(
            `${path}.${field}`,
            operation?.[field],
            /[a-z]/,
            "methods are in upper case",
            "write GET, POST …",
          );
        }
      });
    });
  }
};
