import type { MeshWorkload } from "../model/mesh.ts";
import { isHttp } from "../model/protocol.ts";
import type { Asked } from "./asked.ts";

/** What the policies of a workload ask of its own data plane. */
export function askedOfServer({ id: where, inbound, jwtRules, policies }: MeshWorkload): Asked[] {
  const asked: Asked[] = [];
  if (inbound.some(({ mtlsMode, protocol }) => mtlsMode === "PERMISSIVE" && isHttp(protocol))) {
    asked.push({ capability: "permissive", where, source: undefined });
  }
  if (inbound.some(({ pool }) => pool)) asked.push({ capability: "inboundPool", where, source: undefined });
  for (const { source } of jwtRules) asked.push({ capability: "tokens", where, source });
  for (const { action, rules, source } of policies) {
    if (action === "CUSTOM") asked.push({ capability: "customAuthorization", where, source });
    const paths = rules.flatMap(({ to }) =>
      to.flatMap(({ paths = [], notPaths = [] }) => [...paths, ...notPaths]),
    );
    if (paths.some((path) => path.includes("{"))) asked.push({ capability: "pathTemplate", where, source });
  }
  return asked;
}
