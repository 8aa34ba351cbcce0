import type { Clock } from "@weft/base/clock";
import { parseJwt } from "@weft/proxy/filters/jwt/json-web-token";
import { JwtSvidService } from "@weft/xds/gen/weft/ca/v1/jwt_svid_pb";
import type { GrpcTarget } from "@weft/xds/grpc/dial";
import { GrpcChannel } from "@weft/xds/grpc/grpc-channel";

interface Kept {
  readonly token: string;
  /** From here on a new one is asked for. */
  readonly staleAtMs: number;
}

/** More sets of audiences than this are not kept; the one longest unused is forgotten. */
const maxKept = 256;

/**
 * JWT-SVIDs of the workload from the control plane. One is given again until
 * half of its life is over, so that a caller may ask for each of its requests.
 */
export class JwtSvidSource {
  readonly #channel: GrpcChannel;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(options: { readonly clock: Clock; readonly target: GrpcTarget }) {
    this.#clock = options.clock;
    this.#channel = new GrpcChannel(options);
  }

  /** @throws GrpcError UNAVAILABLE while the control plane is away, or with its refusal */
  async fetch(audience: readonly string[]): Promise<string> {
    const key = JSON.stringify(audience);
    const kept = this.#kept.get(key);
    const nowMs = this.#clock.now();
    if (kept && nowMs < kept.staleAtMs) return kept.token;
    const { token } = await this.#channel.unary(JwtSvidService.method.issueJwtSvid, {
      audience: [...audience],
    });
    this.#keep(key, token, nowMs);
    return token;
  }

  close(): void {
    this.#channel.close();
  }

  #keep(key: string, token: string, nowMs: number): void {
    const expiresAtMs = (parseJwt(token).token?.expiresAtS ?? 0) * 1000;
    this.#kept.delete(key);
    this.#kept.set(key, { token, staleAtMs: nowMs + (expiresAtMs - nowMs) / 2 });
    if (this.#kept.size <= maxKept) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}
