import type { Finding } from "./finding.ts";
import type {
  BackendObjectSpec,
  ParentRefSpec,
  RequestMirrorSpec,
  ValueMatchSpec,
} from "./gateway-api-specs.ts";

/** What the published rules say about the fields that all kinds of routes share. */
export function checkRoute(
  spec: {
    readonly parentRefs?: readonly ParentRefSpec[];
    readonly rules?: readonly { readonly name?: string; readonly matches?: readonly unknown[] }[];
  },
  find: Finding,
): void {
  checkParents(spec.parentRefs ?? [], find);
  const names = new Map<string, number>();
  let matches = 0;
  spec.rules?.forEach((rule, i) => {
    matches += rule.matches?.length ?? 1;
    if (rule.name === undefined) return;
    const path = `spec.rules[${i}].name`;
    const first = names.get(rule.name);
    if (first === undefined) names.set(rule.name, i);
    else find.error("W1106", path, `${path}: "${rule.name}" is the name of spec.rules[${first}] too`);
  });
  if (matches > 128) {
    find.error(
      "W1105",
      "spec.rules",
      `spec.rules has ${matches} matches in all`,
      "at most 128: write two routes",
    );
  }
}

/** Two references to one parent must name different parts of it, by the same fields. */
function checkParents(parents: readonly ParentRefSpec[], find: Finding): void {
  const key = ({ group, kind, name, namespace }: ParentRefSpec) =>
    JSON.stringify([group ?? "gateway.networking.k8s.io", kind ?? "Gateway", name, namespace ?? ""]);
  parents.forEach((parent, i) => {
    const path = `spec.parentRefs[${i}]`;
    for (const earlier of parents.slice(0, i)) {
      if (key(earlier) !== key(parent)) continue;
      const [one, two] = [earlier, parent].map(({ sectionName, port }) => [!sectionName, !port].join());
      const isSame =
        (earlier.sectionName ?? "") === (parent.sectionName ?? "") &&
        (earlier.port ?? 0) === (parent.port ?? 0);
      if (one === two && !isSame) continue;
      const message = `${path} is a second reference to "${parent.name}" that is not told from the first`;
      find.error("W1106", path, message, "give both a sectionName, or both a port, and different ones");
      return;
    }
  });
}

/** A Service is referred to by a port of it. */
export function checkBackend(ref: BackendObjectSpec, path: string, find: Finding): void {
  if ((ref.group ?? "") !== "" || (ref.kind ?? "Service") !== "Service" || ref.port !== undefined) return;
  find.error("W1104", path, `${path}.port is missing`, "name a port of the service");
}

export function checkMirror(mirror: RequestMirrorSpec, path: string, find: Finding): void {
  checkBackend(mirror.backendRef, `${path}.backendRef`, find);
  if (mirror.percent !== undefined && mirror.fraction) {
    find.error("W1106", path, `${path} sets percent and fraction at once`, "remove one of them");
  }
  const { numerator = 0, denominator = 100 } = mirror.fraction ?? {};
  if (numerator > denominator) {
    find.error("W1105", `${path}.fraction`, `${path}.fraction is more than all`, "numerator ≤ denominator");
  }
}

export function checkValueMatches(
  matches: readonly ValueMatchSpec[] | undefined,
  path: string,
  find: Finding,
): void {
  matches?.forEach(({ type, value }, i) => {
    if (type === "RegularExpression") find.regex(`${path}[${i}].value`, value);
  });
}
