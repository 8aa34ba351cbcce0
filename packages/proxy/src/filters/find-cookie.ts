/** The first value of a cookie in a `cookie` field, without its quotes; undefined where there is none. */
export function findCookie(field: string, name: string): string | undefined {
  for (const part of field.split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0 || part.slice(0, equals).trim() !== name) continue;
    const value = part.slice(equals + 1).trim();
    return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
  }
  return undefined;
}
