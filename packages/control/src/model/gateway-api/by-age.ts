import type { ConfigResource } from "../../config/resource.ts";

type Aged = Pick<ConfigResource, "createdAtMs" | "namespace" | "name">;

/** Older before newer; one whose age nobody knows was there before all others; then by name. */
export function byAge(a: Aged, b: Aged): number {
  const [one, two] = [a.createdAtMs ?? 0, b.createdAtMs ?? 0];
  const name = ({ namespace, name }: Aged) => `${namespace}/${name}`;
  return one - two || (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0);
}
