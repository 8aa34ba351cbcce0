import type { SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";

/** Facts about an upstream connection, fixed once it is established. */
export interface UpstreamConnectionInfo {
  /** The identity the upstream proved, when the hop is mutual TLS. */
  readonly peer: PeerIdentity | undefined;
  readonly local: SocketAddress | undefined;
  /** Which of the endpoint's addresses it is to; undefined where there is one only. */
  readonly remote: SocketAddress | undefined;
}
