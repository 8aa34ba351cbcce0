/** Name and value, as written in the path: nothing is decoded that is not changed. */
export type Parameter = readonly [name: string, value: string | undefined];

/** The parameters of a path's query, in order. */
export function parseQuery(path: string): readonly Parameter[] {
  const mark = path.indexOf("?");
  if (mark < 0 || mark === path.length - 1) return [];
  return path
    .slice(mark + 1)
    .split("&")
    .map((part): Parameter => {
      const equals = part.indexOf("=");
      return equals < 0 ? [part, undefined] : [part.slice(0, equals), part.slice(equals + 1)];
    });
}

/** The path with these parameters as its query; without one where there are none. */
export function withQuery(path: string, parameters: readonly Parameter[]): string {
  const mark = path.indexOf("?");
  const base = mark < 0 ? path : path.slice(0, mark);
  if (parameters.length === 0) return base;
  const query = parameters.map(([name, value]) => (value === undefined ? name : `${name}=${value}`));
  return `${base}?${query.join("&")}`;
}

/** A parameter whose name and value are text that is to be encoded. */
export function parameterOf(name: string, value: string): Parameter {
  return [encodeURIComponent(name), encodeURIComponent(value)];
}

export function hasParameter(parameters: readonly Parameter[], key: string): boolean {
  return parameters.some(([name]) => decodedName(name) === key);
}

export function withoutParameter(parameters: readonly Parameter[], key: string): readonly Parameter[] {
  return parameters.filter(([name]) => decodedName(name) !== key);
}

/** One parameter in place of the first called `key`, the others of that name gone; at the end where there is none. */
export function withParameter(
  parameters: readonly Parameter[],
  key: string,
  value: string,
): readonly Parameter[] {
  const added = parameterOf(key, value);
  const first = parameters.findIndex(([name]) => decodedName(name) === key);
  if (first < 0) return [...parameters, added];
  return parameters.flatMap((parameter, i) => {
    if (i === first) return [added];
    return decodedName(parameter[0]) === key ? [] : [parameter];
  });
}

function decodedName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
