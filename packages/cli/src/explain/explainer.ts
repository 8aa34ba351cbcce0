import { isIP } from "node:net";
import { MeshNames } from "@weft/agent/dns/mesh-names";
import { UserError } from "@weft/base/errors";
import type { WorkloadView } from "@weft/control/api/mesh-protocol";
import type { CallTrace, ClusterShare, DryCall, DryRequest } from "@weft/proxy/explain/call-trace";
import { DryProxy } from "@weft/proxy/explain/dry-proxy";
import { addedUp } from "./added-up.ts";
import { callerSteps } from "./caller-steps.ts";
import { Destinations } from "./destinations.ts";
import type { Explanation } from "./explanation.ts";
import type { MeshReader } from "./mesh-reader.ts";
import { ofFamily } from "./of-family.ts";
import { outcomeOf } from "./outcome.ts";
import { authorityOf, type Question, urlOf } from "./question.ts";

/** Stands for whatever address a name outside the mesh has (RFC 5737). */
const addressOutside = "203.0.113.1";
/** Of a headless service's addresses, those whose listeners are looked at. */
const maxBeside = 64;

/**
 * Answers what a call in a mesh would do, and why. It asks the caller's proxy
 * and those of the callees (`DryProxy`), each with the resources that the
 * control plane makes for it; what they decode is kept for the next question.
 */
export class Explainer {
  readonly #reader: MeshReader;
  readonly #proxies = new Map<string, DryProxy>();
  readonly #names = new Map<string, Promise<MeshNames>>();
  readonly #destinations: Destinations;

  constructor(reader: MeshReader) {
    this.#reader = reader;
    this.#destinations = new Destinations(reader, (id) => this.#proxyOf(id));
  }

  async explain(question: Question): Promise<Explanation> {
    const caller = await this.#caller(question.from);
    const call = await this.#callOf(question, caller);
    const proxy = this.#proxyOf(caller.id);
    const { facts } = call;
    const place = facts.local.kind === "ip" ? `${facts.local.host}:${facts.local.port}` : "";
    const trace = await proxy.call(call);
    const steps = await callerSteps(trace, caller.id, place, this.#reader);
    const reached = await this.#destinations.reach(clustersOf(trace), caller, requestSent(trace, call));
    return {
      request: { method: question.scheme === "http" ? question.method : "CONNECT", url: urlOf(question) },
      caller: { workload: caller.id, identity: caller.identity },
      steps: [...steps, ...reached.steps],
      outcome: await outcomeOf(trace, reached.destinations, this.#reader),
    };
  }

  async #caller(name: string): Promise<WorkloadView> {
    const { workloads, known } = await this.#reader.findWorkloads({ name });
    const [first] = workloads;
    if (!first) {
      const hint = known.length > 0 ? `one of: ${known.slice(0, 20).join(", ")}` : "no workload is known";
      throw new UserError(`no workload is called ${name}`, { hint, exitCode: 2 });
    }
    const namespaces = new Set(workloads.map(({ namespace }) => namespace));
    if (namespaces.size > 1) {
      const hint = [...namespaces].map((namespace) => `${name}.${namespace}`).join(", ");
      throw new UserError(`${name} is in several namespaces`, { hint: `one of: ${hint}`, exitCode: 2 });
    }
    return first;
  }

  async #callOf(question: Question, caller: WorkloadView): Promise<DryCall> {
    const { host, port, scheme, arrived } = question;
    const target = arrived ? await this.#arrivalOf(arrived, caller) : await this.#target(host, port, caller);
    const isTls = scheme === "https";
    return {
      ...target,
      facts: {
        local: { kind: "ip", host: target.address, port: target.port },
        remote: { kind: "ip", host: ofFamily(caller.addresses, [target.address]), port: 40_000 },
        serverName: isTls && isIP(host) === 0 ? host : "",
        transportProtocol: isTls ? "tls" : "raw_buffer",
        applicationProtocols: [],
      },
      peer: undefined,
      request: scheme === "http" ? requestOf(question) : undefined,
    };
  }

  /** Where the application connects to, and the listeners that may take it. */
  async #target(host: string, port: number, caller: WorkloadView) {
    if (caller.interception === "NONE") {
      const names = await this.#reader.names();
      const own = caller.upstreams.find(
        (upstream) =>
          upstream.port === port &&
          names.some(
            (name) => name.hostname === upstream.hostname && spellings(name, caller.namespace).includes(host),
          ),
      );
      if (!own) {
        const listed = caller.upstreams.map((one) => `${one.hostname}:${one.port}`).join(", ");
        throw new UserError(`${caller.id} is not intercepted and names no upstream ${host}:${port}`, {
          hint: listed ? `its upstreams: ${listed}` : "start it with --upstream, or with --capture nft",
        });
      }
      const { bindAddress, bindPort } = own;
      return { listener: `${bindAddress}_${bindPort}`, handedTo: [], address: bindAddress, port: bindPort };
    }
    const resolved =
      isIP(host) > 0 ? [host] : (await this.#namesFor(caller.namespace)).resolve(host.toLowerCase());
    const called = resolved?.length ? ofFamily(resolved, caller.addresses) : addressOutside;
    return this.#captured(called, port);
  }

  async #arrivalOf({ address, port }: NonNullable<Question["arrived"]>, { interception }: WorkloadView) {
    return interception === "NONE"
      ? { listener: `${address}_${port}`, handedTo: [], address, port }
      : await this.#captured(address, port);
  }

  /** A connection to this address that interception brings to the proxy: a listener may be named after another one that it has. */
  async #captured(address: string, port: number) {
    const all = await this.#reader.names();
    const same = all.filter(({ addresses }) => addresses.includes(address));
    const beside = same.flatMap(({ addresses }) => addresses).slice(0, maxBeside);
    const listeners = [address, ...beside, "0.0.0.0"].map((one) => `${one}_${port}`);
    return { listener: "virtualOutbound", handedTo: [...new Set(listeners)], address, port };
  }

  #namesFor(namespace: string): Promise<MeshNames> {
    let names = this.#names.get(namespace);
    if (!names) {
      names = this.#reader.names().then(
        (all) =>
          new MeshNames(
            all
              .filter(({ addresses }) => addresses.length > 0)
              .map(({ hostname, addresses, name, namespace: own, isExternal }) => ({
                host: hostname,
                addresses,
                shortName: isExternal ? "" : name,
                namespace: own,
              })),
            namespace,
            [],
          ),
      );
      this.#names.set(namespace, names);
    }
    return names;
  }

  #proxyOf(workloadId: string): DryProxy {
    let proxy = this.#proxies.get(workloadId);
    if (!proxy) {
      proxy = new DryProxy((type, name, host) => this.#reader.resource(workloadId, type, name, host));
      this.#proxies.set(workloadId, proxy);
    }
    return proxy;
  }
}

function spellings(
  { hostname, name, namespace }: { hostname: string; name: string; namespace: string },
  from: string,
): string[] {
  const short = namespace === from ? [name] : [];
  return [hostname, ...short, `${name}.${namespace}`, `${name}.${namespace}.svc`];
}

function requestOf(question: Question): DryRequest {
  const { method, path, headers } = question;
  const get = (name: string) => headers[headers.findIndex((field, i) => i % 2 === 0 && field === name) + 1];
  const isGrpc = headers.includes("content-type") && get("content-type")?.startsWith("application/grpc");
  return {
    method,
    path,
    authority: headers.includes("host") ? get("host")! : authorityOf(question),
    scheme: "http",
    headers: headers.filter((_, i) => headers[i - (i % 2)] !== "host"),
    upgrade: headers.includes("upgrade") ? get("upgrade")!.toLowerCase() : "",
    protocol: isGrpc ? "HTTP/2" : "HTTP/1.1",
  };
}

/** Each cluster once, with its share of all calls. */
function clustersOf({ shares, tcp }: CallTrace): readonly ClusterShare[] {
  return tcp ?? addedUp(shares, ({ clusters }) => clusters);
}

/** The request as it leaves the caller's proxy. */
function requestSent({ http }: CallTrace, { request }: DryCall): DryRequest | undefined {
  const head = http?.forward?.head;
  if (!head || !request) return undefined;
  const { method, path, authority, upgrade, headers } = head;
  return { ...request, method, path, authority, upgrade, headers: headers.flat };
}
