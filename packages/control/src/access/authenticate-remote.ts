import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "@weft/base/clock";
import { messageOf } from "@weft/base/errors";
import { peerChain } from "@weft/identity/peer-chain";
import { SvidError } from "@weft/identity/verify-svid";
import type { Caller } from "../api/caller.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { Role } from "../api/role.ts";
import { type Rate, RateLimit } from "../ca/rate-limit.ts";
import type { DashboardSessions } from "../dashboard/sessions.ts";
import type { FetchedKeys } from "../model/key-source.ts";
import type { AccessRules } from "./access-file.ts";
import { CertificateAccess } from "./certificate-access.ts";
import { hostNameOf, howToOpen, sessionCaller } from "./dashboard-session.ts";
import { refuseOtherSites } from "./same-site.ts";
import { roleOfNames } from "./strongest-role.ts";
import { holderOfToken } from "./token-access.ts";

export interface RemoteAccessOptions {
  readonly rules: AccessRules;
  readonly sessions: DashboardSessions;
  readonly clock: Clock;
  /** The identity of a certificate of the mesh. @throws SvidError for any other */
  readonly verifyPeer: (chain: readonly Buffer[]) => string;
  readonly keysOf: (url: string) => FetchedKeys | undefined;
  /** The names the listener's own certificate has now. */
  readonly servedNames: () => readonly string[];
}

interface Known {
  readonly name: string;
  readonly proof: Caller["proof"];
  readonly role: Role | undefined;
}

/** Attempts that failed, from one address: as for join tokens. */
const failureRate: Rate = { perSecond: 1, burst: 20 };
/** Requests of one caller: far more than the command line makes for a large mesh. */
const requestRate: Rate = { perSecond: 200, burst: 4_000 };

/**
 * Who asks over the network. By what the request itself shows first: a bearer
 * token, the certificate of its connection, then a browser's session. What is
 * shown and does not hold is refused, never passed over for something weaker.
 */
export class RemoteAccess {
  readonly #options: RemoteAccessOptions;
  readonly #certificates: CertificateAccess | undefined;
  readonly #failures = new RateLimit(failureRate);
  readonly #requests = new RateLimit(requestRate);

  /** @throws UserError */
  constructor(options: RemoteAccessOptions) {
    this.#options = options;
    const { certificates } = options.rules;
    this.#certificates = certificates && new CertificateAccess(certificates.caPem, certificates.roles);
  }

  /** What holds of every request: it is for a name of this listener, and no other site's page sent it. @throws ApiRefusal */
  admit(request: IncomingMessage): void {
    const host = hostNameOf(request.headers.host ?? "").toLowerCase();
    if (!this.#isOurs(host, request)) {
      throw new ApiRefusal(421, {
        error: "this control plane does not answer by that name",
        hint: "names that lead here are listed under hosts in its --api-users file",
      });
    }
    refuseOtherSites(request);
  }

  /** @throws ApiRefusal 401, 403, 421, 429 */
  async authenticate(request: IncomingMessage): Promise<Caller> {
    this.admit(request);
    const { clock } = this.#options;
    const address = request.socket.remoteAddress ?? "";
    refuseTooMany(this.#failures, address, clock.monotonicMs());
    let known: Known;
    try {
      known = await this.#know(request);
    } catch (error) {
      this.#failures.take(address, clock.monotonicMs());
      throw error;
    }
    const { name, proof, role } = known;
    if (role === undefined) {
      this.#failures.take(address, clock.monotonicMs());
      throw new ApiRefusal(403, {
        error: `${name} is known by its ${proof}, and has no role`,
        hint: "who gets which role stands in the control plane's --api-users file",
      });
    }
    refuseTooMany(this.#requests, `${proof} ${name}`, clock.monotonicMs());
    this.#requests.take(`${proof} ${name}`, clock.monotonicMs());
    return { name, proof, role, address };
  }

  async #know(request: IncomingMessage): Promise<Known> {
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#byToken(authorization);
    const chain = peerChain(request.socket as TLSSocket);
    if (chain.length > 0) return this.#byCertificate(chain);
    const session = sessionCaller(request, this.#options.sessions);
    if (session) return session;
    throw unauthenticated(
      "nobody is known by what came with this request",
      `show a client certificate or a bearer token; in a browser, ${howToOpen}`,
    );
  }

  async #byToken(authorization: string): Promise<Known> {
    const { rules, keysOf } = this.#options;
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw unauthenticated("the authorization header has no bearer token");
    if (!rules.tokens) throw unauthenticated("no token issuer was named to this control plane");
    try {
      return { ...(await holderOfToken(token, rules.tokens, keysOf)), proof: "token" };
    } catch (error) {
      throw unauthenticated(`the bearer token is not accepted: ${messageOf(error)}`);
    }
  }

  #byCertificate(chain: readonly Buffer[]): Known {
    const { rules, verifyPeer, clock } = this.#options;
    try {
      const holder = this.#certificates?.holderOf(chain, clock.now());
      if (holder) return { ...holder, proof: "certificate" };
      if (!rules.mesh) throw new Error("its authority is not that of the operators");
      const name = verifyPeer(chain);
      return { name, proof: "certificate", role: roleOfNames([name], rules.mesh.roles) };
    } catch (error) {
      const why =
        error instanceof SvidError && this.#certificates ? "of no known authority" : messageOf(error);
      throw unauthenticated(`the client certificate is not accepted: ${why}`);
    }
  }

  #isOurs(host: string, { socket }: IncomingMessage): boolean {
    const { localAddress = "" } = socket;
    if (isIP(host)) return host === localAddress || `::ffff:${host}` === localAddress || this.#isNamed(host);
    return this.#isNamed(host);
  }

  #isNamed(host: string): boolean {
    const { rules, servedNames } = this.#options;
    return [...(rules.hosts ?? []), ...servedNames()].some((name) => {
      const own = name.toLowerCase();
      if (!own.startsWith("*.")) return own === host;
      const dot = host.indexOf(".");
      return dot > 0 && host.slice(dot) === own.slice(1);
    });
  }
}

function refuseTooMany(limit: RateLimit, who: string, nowMs: number): void {
  const waitMs = limit.waitMs(who, nowMs);
  if (waitMs === 0) return;
  const seconds = Math.ceil(waitMs / 1000);
  throw new ApiRefusal(
    429,
    { error: "too many requests, or attempts to log in", hint: `try again in ${seconds} s` },
    { "retry-after": String(seconds) },
  );
}

function unauthenticated(error: string, hint?: string): ApiRefusal {
  return new ApiRefusal(
    401,
    { error, ...(hint !== undefined && { hint }) },
    { "www-authenticate": "Bearer" },
  );
}
