import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";

export interface LogLine {
  readonly text: string;
  /** Whose proxy wrote it, where that was said. */
  readonly workload: string | undefined;
  /** `file:line`. */
  readonly place: string;
}

/**
 * The lines of logs, each named as `[WORKLOAD=]FILE`; `-` is stdin.
 *
 * @throws UserError for a file that cannot be read
 */
export async function* logLines(logs: readonly string[]): AsyncGenerator<LogLine> {
  for (const log of logs) {
    const [, workload, path = log] = /^([a-z0-9][a-z0-9.-]*)=(.+)$/.exec(log) ?? [];
    const input = path === "-" ? process.stdin : createReadStream(path);
    let number = 0;
    try {
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        number += 1;
        yield { text, workload, place: `${path}:${number}` };
      }
    } catch (error) {
      throw new UserError(`${path}: ${reasonOf(error)}`, { hint: "check the path", exitCode: 2 });
    }
  }
}
