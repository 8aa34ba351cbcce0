import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { HeaderList } from "./header-list.ts";

export const clientCertificateHeader = "x-forwarded-client-cert";

const elements = new WeakMap<
  DownstreamConnection,
  { readonly plan: HttpConnectionPlan; readonly text: string }
>();

/**
 * Puts into `x-forwarded-client-cert` the certificate that was shown to this
 * proxy itself, and lets through what others claim only where the configuration
 * trusts them. Without one nothing but `always-forward-only` keeps the header.
 * It has been verified, unless the listener accepts untrusted ones: those behind
 * it judge it then.
 *
 * @see envoy...HttpConnectionManager.ForwardClientCertDetails
 */
export function applyClientCertificate(
  headers: HeaderList,
  connection: DownstreamConnection,
  plan: HttpConnectionPlan,
  isPresent: boolean,
): void {
  const mode = plan.forwardClientCert;
  if (mode === "always-forward-only") return;
  if (mode === "sanitize" || !certificateOf(connection)) {
    if (isPresent) headers.remove(clientCertificateHeader);
    return;
  }
  if (mode === "forward-only") return;
  const element = elementOf(connection, plan);
  const existing =
    mode === "append-forward" && isPresent ? headers.getAll(clientCertificateHeader) : undefined;
  const value = existing ? `${existing},${element}` : element;
  if (value === "") headers.remove(clientCertificateHeader);
  else headers.set(clientCertificateHeader, value);
}

function certificateOf({ peer, unverifiedPeer }: DownstreamConnection): PeerIdentity | undefined {
  return peer ?? unverifiedPeer;
}

/** The same for every request of a connection. */
function elementOf(connection: DownstreamConnection, plan: HttpConnectionPlan): string {
  const cached = elements.get(connection);
  if (cached?.plan === plan) return cached.text;
  const text = buildElement(connection, plan);
  elements.set(connection, { plan, text });
  return text;
}

function buildElement(connection: DownstreamConnection, plan: HttpConnectionPlan): string {
  const peer = certificateOf(connection)!;
  const wanted = plan.setClientCertDetails;
  const parts: string[] = [];
  if (connection.ownUris.length > 0) parts.push(`By=${connection.ownUris[0]}`);
  parts.push(`Hash=${peer.fingerprint}`);
  if (wanted.cert && peer.pem) parts.push(`Cert="${encodePem(peer.pem)}"`);
  if (wanted.chain && peer.chainPem) parts.push(`Chain="${encodePem(peer.chainPem)}"`);
  if (wanted.subject) parts.push(`Subject="${peer.subject.replace(/["\\]/g, "\\$&")}"`);
  if (wanted.uri) {
    if (peer.uris.length === 0) parts.push("URI=");
    for (const uri of peer.uris) parts.push(`URI=${uri}`);
  }
  if (wanted.dns) for (const name of peer.dnsNames) parts.push(`DNS=${name}`);
  return parts.join(";");
}

function encodePem(pem: string): string {
  return encodeURIComponent(pem);
}
