import { readFileSync, rmSync } from "node:fs";
import { messageOf, UserError } from "@weft/base/errors";
import { writePrivateFileSync } from "@weft/base/private-file";

/**
 * Keeps the identity between two runs of one workload, so that an agent that
 * was killed comes back without a new token. The folder is 0700 and the file
 * 0600, its owner's alone; a crash leaves the old content or the new.
 */
export class IdentityFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined when there is none. @throws UserError when it can't be read */
  read(): string | undefined {
    try {
      return readFileSync(this.path, "utf8");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new UserError(`cannot read the identity in ${this.path}: ${messageOf(thrown)}`, {
        hint: "run as the user that wrote it, or choose another --run-dir",
      });
    }
  }

  write(text: string): void {
    writePrivateFileSync(this.path, text);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
