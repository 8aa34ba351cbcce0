import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LocalMesh } from "./local-mesh.ts";

/** What callers in the mesh reach that is no part of it, and what of it is reached from outside. */
export interface MeshConfiguration {
  /** A plain server on 127.0.0.1, which has no identity. */
  readonly plainPort: number;
  /** Where the gateway listens. */
  readonly gatewayPort: number;
}

/** Callers without mutual TLS are let in; there is a service without identity, and a gateway before `backend`. */
export function writeConfiguration(mesh: LocalMesh, { plainPort, gatewayPort }: MeshConfiguration): string {
  const file = join(mesh.state, "mesh.yaml");
  writeFileSync(
    file,
    `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: PERMISSIVE } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: plain }
spec:
  hosts: [plain.example]
  resolution: STATIC
  ports: [{ number: 8090, name: http, protocol: HTTP, targetPort: ${plainPort} }]
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: way-in }
spec:
  selector: { app: istio-ingressgateway }
  servers: [{ port: { number: ${gatewayPort}, name: http, protocol: HTTP }, hosts: ["*"] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: way-in }
spec:
  hosts: ["*"]
  gateways: [way-in]
  http: [{ route: [{ destination: { host: backend } }] }]
`,
  );
  return file;
}

/** A file that makes the backend's route another one than before. */
export function writeRoute(mesh: LocalMesh, round: number): string {
  const file = join(mesh.state, "route.yaml");
  writeFileSync(
    file,
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: backend }
spec: { hosts: [backend], http: [{ timeout: ${round}s, route: [{ destination: { host: backend } }] }] }
`,
  );
  return file;
}
