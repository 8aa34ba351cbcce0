import { connect as connectTls } from "node:tls";
import type { Clock } from "@weft/base/clock";
import { messageOf, UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import { createCsr } from "@weft/identity/csr";
import { type JoinToken, JoinTokenError, parseJoinToken } from "@weft/identity/join-token";
import { generateKeyPair } from "@weft/identity/key-pair";
import { peerChain } from "@weft/identity/peer-chain";
import type { SpiffeId, TrustDomain } from "@weft/identity/spiffe-id";
import { formatTrustBundle, type TrustBundle } from "@weft/identity/trust-bundle";
import { verifyPinnedChain } from "@weft/identity/verify-pinned-chain";
import { SvidError, verifySvid } from "@weft/identity/verify-svid";
import { controlPlaneSpiffeId } from "@weft/identity/workload-id";
import { IstioCertificateService } from "@weft/xds/gen/istio/v1/auth/ca_pb";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import { GrpcError, grpcCode } from "@weft/xds/grpc/grpc-status";
import { assembleSvid, type Svid } from "./svid.ts";

/** The control plane's serving certificate names this, whatever address it is reached at. */
const servingName = "weft-control-plane";
const connectTimeoutMs = 5_000;

export interface EnrolmentTarget {
  readonly host: string;
  readonly port: number;
  readonly trustDomain: TrustDomain;
  readonly spiffeId: SpiffeId;
  readonly clock: Clock;
}

/**
 * Where the control plane is, recognised by its SPIFFE ID under `trust`, and
 * shown this workload's SVID where there is one. Both are asked for at each new connection.
 */
export function controlPlaneTarget(
  target: EnrolmentTarget,
  trust: () => { readonly bundle: TrustBundle; readonly svid?: Svid },
): GrpcTarget {
  const expected = controlPlaneSpiffeId(target.trustDomain);
  return {
    address: { host: target.host, port: target.port },
    tls: () => {
      const { bundle, svid } = trust();
      return {
        options: {
          ca: formatTrustBundle(bundle),
          servername: servingName,
          minVersion: "TLSv1.2",
          ...(svid ? { key: svid.keyPem, cert: svid.chainPem } : {}),
          // Names are by SPIFFE ID, below; a DNS name would prove nothing more.
          checkServerIdentity: () => undefined,
        },
        verifyPeer(socket) {
          try {
            const id = verifySvid(peerChain(socket), bundle, target.clock.now());
            return id === expected ? undefined : `${id} answered where ${expected} was expected`;
          } catch (thrown) {
            return messageOf(thrown);
          }
        },
      };
    },
  };
}

/**
 * The first certificate, by a one-time join token. The token's pin recognises
 * the control plane, so nothing secret is sent before it has proven itself.
 *
 * @throws UserError when trying again can't help; GrpcError UNAVAILABLE when it can
 */
export async function enrolByToken(target: EnrolmentTarget, tokenText: string): Promise<Svid> {
  const token = readToken(tokenText);
  const bundle = await recogniseControlPlane(target, token);
  const keyHolder = controlPlaneTarget(target, () => ({ bundle }));
  try {
    return await requestCertificate(target, keyHolder, [["authorization", `Bearer ${tokenText.trim()}`]]);
  } catch (thrown) {
    throw explainRefusal(thrown, target, tokenFlag);
  }
}

/** The next certificate, by the one in force. @throws GrpcError, SvidError */
export function renewBySvid(target: EnrolmentTarget, svid: Svid): Promise<Svid> {
  return requestCertificate(
    target,
    controlPlaneTarget(target, () => ({ bundle: svid.bundle, svid })),
    [],
  );
}

function readToken(text: string): JoinToken {
  try {
    return parseJoinToken(text);
  } catch (thrown) {
    if (!(thrown instanceof JoinTokenError)) throw thrown;
    throw new UserError(`--token: ${thrown.message}`, {
      hint: "make one with 'weft token create --service-account NAME'",
      exitCode: 2,
    });
  }
}

/** Makes a key and asks for its certificate, shown what `metadata` and the target's connection show. @throws GrpcError, SvidError */
export async function requestCertificate(
  target: EnrolmentTarget,
  grpcTarget: GrpcTarget,
  metadata: readonly (readonly [string, string])[],
): Promise<Svid> {
  const { clock, spiffeId } = target;
  const keys = await generateKeyPair();
  const channel = new GrpcChannel({ clock, target: grpcTarget, connectTimeoutMs });
  try {
    const { createCertificate } = IstioCertificateService.method;
    const { certChain } = await channel.unary(
      createCertificate,
      { csr: createCsr(keys, spiffeId) },
      { metadata },
    );
    return assembleSvid(certChain.join("\n"), keys, target, clock.now());
  } finally {
    channel.close();
  }
}

/** Connects without trusting, and looks at what was presented: only the pinned root makes it a control plane. */
async function recogniseControlPlane(target: EnrolmentTarget, token: JoinToken): Promise<TrustBundle> {
  const chain = await presentedChain(target);
  try {
    return verifyPinnedChain(chain, token.pin, target.clock.now(), target.trustDomain).bundle;
  } catch (thrown) {
    if (!(thrown instanceof SvidError)) throw thrown;
    throw explainChain(thrown, target);
  }
}

/** Why what answers is not the control plane of the token, in the words of the flags. */
function explainChain(cause: SvidError, { host, port, trustDomain }: EnrolmentTarget): UserError {
  const place = `${host}:${port}`;
  switch (cause.reason) {
    case "wrong-trust-domain":
    case "bad-spiffe-id":
      return new UserError(
        `--trust-domain ${trustDomain}: the control plane at ${place} is of another (${cause.message})`,
        { hint: "give the one it was started with; 'weft check' there shows it", cause },
      );
    case "expired":
    case "not-yet-valid":
      return new UserError(`--control-plane ${place}: ${cause.message}`, {
        hint: "set this machine's clock",
        cause,
      });
    default:
      return new UserError(`--control-plane ${place}: ${cause.message}`, {
        hint: "create a token at this control plane with 'weft token create', and check the address",
        cause,
      });
  }
}

function presentedChain({ host, port, clock }: EnrolmentTarget): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host,
      port,
      servername: servingName,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.2",
      rejectUnauthorized: false,
    });
    const fail = (why: string, cause?: unknown) => {
      timer.cancel();
      socket.destroy();
      reject(new GrpcError(grpcCode.unavailable, `${host}:${port}: ${why}`, { cause }));
    };
    const timer = clock.setTimer(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    socket.on("error", (cause) => fail(reasonOf(cause), cause));
    socket.on("close", () => fail("the connection was closed"));
    socket.on("secureConnect", () => {
      timer.cancel();
      socket.removeAllListeners("close");
      resolve(peerChain(socket));
      socket.destroy();
    });
  });
}

/** The flag by which a workload shows who it is, and what to do where that is refused. */
export interface EnrolmentFlag {
  readonly name: string;
  /** It is not believed. */
  readonly ifUnauthenticated: string;
  /** It is another's. */
  readonly ifDenied: string;
}

const tokenFlag: EnrolmentFlag = {
  name: "--token",
  ifUnauthenticated: "make another with 'weft token create --service-account NAME'",
  ifDenied: "give the --namespace and --service-account the token was made for, or make another token",
};

/** A refusal in the words of the flags; anything else, and what may pass, as it is. */
export function explainRefusal(
  thrown: unknown,
  { spiffeId }: EnrolmentTarget,
  { name, ifUnauthenticated, ifDenied }: EnrolmentFlag,
): unknown {
  if (thrown instanceof SvidError) {
    return new UserError(`the control plane's answer is not accepted: ${thrown.message}`, {
      hint: "the control plane's log says more",
      cause: thrown,
    });
  }
  if (!(thrown instanceof GrpcError)) return thrown;
  switch (thrown.code) {
    case grpcCode.unauthenticated:
      return new UserError(`${name}: refused by the control plane: ${thrown.message}`, {
        hint: ifUnauthenticated,
        cause: thrown,
      });
    case grpcCode.permissionDenied:
      return new UserError(`no certificate for ${spiffeId}: ${thrown.message}`, {
        hint: ifDenied,
        cause: thrown,
      });
    case grpcCode.invalidArgument:
      return new UserError(`no certificate for ${spiffeId}: ${thrown.message}`, {
        hint: "the agent and the control plane may be of different versions",
        cause: thrown,
      });
    default:
      return thrown;
  }
}
