/** Names of fields and parameters whose values nobody is shown: `authorization`, `x-api-key`, `access_token` … */
const secretName =
  /auth(?!ors?\b)|token|secret|passw|pwd|credential|cookie|session|signature|^sig$|^code$|^key$|api-?_?key|jwt|[cx]srf/i;

/** What stands in place of a value that is not shown. */
export const hidden = "***";

/** Whether the value of a field or parameter of this name is not shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** A path with query whose secret parameters are hidden; at most `maxLength` characters of it. */
export function shownPath(path: string, maxLength = 2_048): string {
  const query = path.indexOf("?");
  const shown =
    query < 0
      ? path
      : path.slice(0, query + 1) +
        path
          .slice(query + 1)
          .split("&")
          .map(shownParameter)
          .join("&");
  return shown.length > maxLength ? `${shown.slice(0, maxLength)}…` : shown;
}

/** Fields (flat, name then value) with secret values hidden. */
export function shownFields(flat: readonly string[]): string[] {
  return flat.map((text, i) => (i % 2 === 1 && isSecretName(flat[i - 1]!) ? hidden : text));
}

function shownParameter(parameter: string): string {
  const equals = parameter.indexOf("=");
  if (equals < 0) return parameter;
  const name = parameter.slice(0, equals);
  return isSecretName(decoded(name)) ? `${name}=${hidden}` : parameter;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
