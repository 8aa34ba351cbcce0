import type { EdgeEnd } from "@weft/control/api/protocol";

/** `namespace/name`, or the name alone outside the mesh. */
export function edgeName({ namespace, name }: EdgeEnd): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** Whether someone means this end by `NAME`, `NAMESPACE/NAME`, or by the service of a version `NAME VERSION`. */
export function isEnd(end: EdgeEnd, text: string): boolean {
  const whole = edgeName(end);
  return [end.name, whole].some((one) => one === text || one.startsWith(`${text} `));
}
