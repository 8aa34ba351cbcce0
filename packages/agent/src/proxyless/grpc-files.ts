import {
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { grpcCertificateProvider, grpcServerListenerPrefix } from "@weft/xds/proxyless";
import type { Svid } from "../enrolment/svid.ts";
import type { Ids } from "../launch.ts";
import { localityJson, type NodeLocality } from "../workload-plan.ts";

export interface GrpcFilesOptions {
  /** A folder of this workload's own. */
  readonly folder: string;
  /** Who reads them: the application's user; undefined: this process's own. */
  readonly owner: Pick<Ids, "uid" | "gid"> | undefined;
  readonly xdsSocketPath: string;
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly metadata: Readonly<Record<string, unknown>>;
    readonly locality?: NodeLocality | undefined;
  };
  readonly svid: Svid;
}

const fileNames = { certificate: "cert-chain.pem", key: "key.pem", roots: "root-cert.pem" } as const;
/** How often gRPC looks whether the files have changed. */
export const refreshMs = 5_000;

/**
 * The files gRPC's own xDS client reads: its bootstrap (gRFC A27) and the
 * certificates of the `file_watcher` provider (gRFC A29). A rotation replaces
 * certificate, key and roots at once, behind one symbolic link, so that no
 * reader finds a key that is another certificate's.
 */
export class GrpcFiles {
  readonly bootstrapPath: string;
  readonly #options: GrpcFilesOptions;
  #generation = 0;

  /** Writes all of them. The key is readable by its owner alone. */
  constructor(options: GrpcFilesOptions) {
    this.#options = options;
    const { folder } = options;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    this.#give(folder);
    this.rotate(options.svid);
    this.bootstrapPath = join(folder, "bootstrap.json");
    this.#write(this.bootstrapPath, `${JSON.stringify(bootstrap(options), undefined, 2)}\n`);
  }

  rotate(svid: Svid): void {
    const { folder } = this.#options;
    this.#generation += 1;
    const generation = `certificates-${this.#generation}`;
    const path = join(folder, generation);
    mkdirSync(path, { mode: 0o700 });
    this.#give(path);
    this.#write(join(path, fileNames.certificate), svid.chainPem);
    this.#write(join(path, fileNames.key), svid.keyPem);
    this.#write(join(path, fileNames.roots), svid.bundlePem);
    const link = linkOf(folder);
    const previous = currentOf(link);
    symlinkSync(generation, `${link}.new`);
    renameSync(`${link}.new`, link);
    // What a reader may be in the middle of stays until the next rotation.
    for (const name of readdirSync(folder)) {
      if (name.startsWith("certificates-") && name !== generation && name !== previous) {
        rmSync(join(folder, name), { recursive: true });
      }
    }
  }

  #write(path: string, text: string): void {
    writeFileSync(path, text, { mode: 0o600 });
    this.#give(path);
  }

  #give(path: string): void {
    const { owner } = this.#options;
    if (owner) chownSync(path, owner.uid, owner.gid);
  }
}

function linkOf(folder: string): string {
  return join(folder, "certificates");
}

function currentOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function bootstrap({ folder, xdsSocketPath, node }: GrpcFilesOptions): object {
  const file = (name: keyof typeof fileNames) => join(linkOf(folder), fileNames[name]);
  return {
    xds_servers: [
      {
        server_uri: `unix:${xdsSocketPath}`,
        channel_creds: [{ type: "insecure" }],
        server_features: ["xds_v3"],
      },
    ],
    node: { ...node, locality: node.locality ? localityJson(node.locality) : {} },
    certificate_providers: {
      [grpcCertificateProvider]: {
        plugin_name: "file_watcher",
        config: {
          certificate_file: file("certificate"),
          private_key_file: file("key"),
          ca_certificate_file: file("roots"),
          refresh_interval: `${refreshMs / 1_000}s`,
        },
      },
    },
    server_listener_resource_name_template: `${grpcServerListenerPrefix}%s`,
  };
}
