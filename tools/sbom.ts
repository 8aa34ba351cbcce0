/** `npm run sbom > weft.cdx.json`: every package that builds, tests or is part of Weft, as CycloneDX JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type LockFile, softwareBill } from "./software-bill.ts";

const lock = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "package-lock.json"), "utf8"),
) as LockFile;
process.stdout.write(`${JSON.stringify(softwareBill(lock), undefined, 2)}\n`);
