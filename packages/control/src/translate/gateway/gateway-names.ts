import type { GatewayListener, GatewayServer } from "../../model/gateway.ts";

/** `http.8080`: the routes of all plain servers of a port, with the address where it has one of its own. */
export function plainRouteName({ port, bind }: Pick<GatewayListener, "port" | "bind">): string {
  return bind ? `http.${port}.${bind}` : `http.${port}`;
}

/** `https.443.https.bookinfo-gateway.default`: the routes behind one server's TLS. */
export function securedRouteName(
  { port, bind }: Pick<GatewayListener, "port" | "bind">,
  { gateway, portName }: Pick<GatewayServer, "gateway" | "portName">,
): string {
  const [namespace, name] = gateway.split("/");
  return `https.${port}.${portName}.${name}.${namespace}${bind ? `.${bind}` : ""}`;
}

/** The name under which a gateway asks for the certificate of a Secret: of its own namespace, or of another that lets it. */
export function certificateSecretName(credentialName: string, namespace?: string): string {
  return namespace === undefined
    ? `kubernetes://${credentialName}`
    : `kubernetes-gateway://${namespace}/${credentialName}`;
}

/** And for certificates of authorities that are in no Secret. */
export function bundleSecretName(bundle: string): string {
  return `configmap://${bundle}-cacert`;
}

/** And for what verifies clients. */
export function trustSecretName(credentialName: string): string {
  return `kubernetes://${credentialName}-cacert`;
}
