/** What a CycloneDX document says of the packages in a lock file: made of it alone, so that equal locks give equal bills. */
import { createHash } from "node:crypto";

interface LockedPackage {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface LockFile {
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface Component {
  readonly "bom-ref": string;
  readonly type: "library";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** `required` is in what users install, bundled or not; `excluded` only builds or tests it. */
  readonly scope: "required" | "optional" | "excluded";
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly expression: string }[];
}

const modules = "node_modules/";
/** Their development dependencies are bundled into what is published. */
const bundled = ["packages/cli", "packages/dashboard"];
/** No part of what is published. */
const unpublished = ["packages/testkit"];

/** @see https://cyclonedx.org/docs/1.6/json/ */
export function softwareBill(lock: LockFile): object {
  const shipped = shippedPaths(lock);
  const paths = Object.keys(lock.packages)
    .filter((path) => isThirdParty(path, lock))
    .sort();
  const components = paths.map((path) => componentOf(path, lock.packages[path]!, shipped));
  const ref = `pkg:npm/weft@${lock.version}`;
  const direct = [...shipped]
    .filter((path) => isThirdParty(path, lock))
    .map((path) => refOf(path, lock.packages[path]!));
  const body = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        "bom-ref": ref,
        type: "application",
        name: "weft",
        version: lock.version,
        purl: ref,
        licenses: [{ expression: "Apache-2.0" }],
      },
    },
    components: uniqueBy(components, (component) => component["bom-ref"]),
    dependencies: [
      { ref, dependsOn: [...new Set(direct)].sort() },
      ...uniqueBy(
        paths.map((path) => ({ ref: refOf(path, lock.packages[path]!), dependsOn: dependsOn(path, lock) })),
        (one) => one.ref,
      ),
    ],
  };
  return { ...body, serialNumber: serialOf(JSON.stringify(body)) };
}

function componentOf(path: string, locked: LockedPackage, shipped: ReadonlySet<string>): Component {
  const { version = "", integrity, license } = locked;
  const ref = refOf(path, locked);
  const [algorithm = "", digest = ""] = integrity?.split("-", 2) ?? [];
  const hashes = integrity
    ? [{ alg: algorithm.replace("sha", "SHA-"), content: Buffer.from(digest, "base64").toString("hex") }]
    : [];
  return {
    "bom-ref": ref,
    type: "library",
    name: nameOf(path),
    version,
    purl: ref,
    scope: !shipped.has(path) ? "excluded" : locked.optional ? "optional" : "required",
    hashes,
    licenses: license === undefined ? [] : [{ expression: license }],
  };
}

/** Everything that what is published needs, found as Node finds modules. */
function shippedPaths(lock: LockFile): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const next of neededBy(path, lock)) visit(next);
  };
  for (const path of Object.keys(lock.packages)) {
    if (path.startsWith("packages/") && !unpublished.includes(path)) visit(path);
  }
  return found;
}

function neededBy(path: string, lock: LockFile): string[] {
  const { dependencies, optionalDependencies, devDependencies } = lock.packages[path]!;
  const isBundled = bundled.includes(path);
  const names = Object.keys({
    ...dependencies,
    ...optionalDependencies,
    ...(isBundled ? devDependencies : {}),
  });
  return names.flatMap((name) => {
    const resolved = resolve(path, name, lock);
    return resolved === undefined ||
      unpublished.some((one) => resolved === `${modules}@weft/${one.split("/")[1]}`)
      ? []
      : resolved;
  });
}

/** The copy of a package that another one gets: the nearest one upwards. */
function resolve(from: string, name: string, { packages }: LockFile): string | undefined {
  for (
    let base = from;
    ;
    base = base.includes(`/${modules}`) ? base.slice(0, base.lastIndexOf(`/${modules}`)) : ""
  ) {
    const path = base === "" ? `${modules}${name}` : `${base}/${modules}${name}`;
    if (packages[path]) return path;
    if (base === "") return undefined;
  }
}

function dependsOn(path: string, lock: LockFile): string[] {
  return [
    ...new Set(
      neededBy(path, lock)
        .filter((next) => isThirdParty(next, lock))
        .map((next) => refOf(next, lock.packages[next]!)),
    ),
  ].sort();
}

function isThirdParty(path: string, { packages }: LockFile): boolean {
  return path.includes(modules) && !packages[path]?.link;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf(modules) + modules.length);
}

function refOf(path: string, { version }: LockedPackage): string {
  return `pkg:npm/${nameOf(path).replace("@", "%40")}@${version}`;
}

/** A UUID that says which bill it is: equal for equal content (RFC 9562 §5.8). */
function serialOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function uniqueBy<T>(list: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(list.map((item) => [key(item), item])).values()];
}
