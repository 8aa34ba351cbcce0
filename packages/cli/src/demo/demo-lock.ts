import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { UserError } from "@weft/base/errors";
import { lockFile } from "./places.ts";
import { startTime } from "./processes.ts";

/**
 * Makes this process the one demo of the machine: demos share namespaces and
 * addresses. A lock whose owner is gone is taken over.
 *
 * @throws UserError that names the running demo
 */
export function takeDemoLock(): { release(): void } {
  const [pid, started] = readLock();
  if (pid !== undefined && started !== "" && startTime(pid) === started && pid !== process.pid) {
    throw new UserError(`a demo is running already, as process ${pid}`, {
      hint: `end it with Ctrl-C in its terminal, or: kill ${pid}`,
    });
  }
  writeFileSync(lockFile, `${process.pid} ${startTime(process.pid)}`);
  return { release: () => rmSync(lockFile, { force: true }) };
}

function readLock(): readonly [pid: number | undefined, started: string] {
  try {
    const [pid, started] = readFileSync(lockFile, "utf8").split(" ");
    return [Number(pid), started ?? ""];
  } catch {
    return [undefined, ""];
  }
}
