import type { CaStatus } from "@weft/control/api/protocol";
import { formatAge } from "../output/units.ts";
import type { CheckList } from "./check-result.ts";

const dayMs = 86_400_000;
/** In time for a rotation that waits for somebody. */
const rootNoticeMs = 30 * dayMs;
const issuerNoticeMs = 7 * dayMs;

export type AuthorityFacts = Pick<
  CaStatus,
  "rootSubject" | "rootFingerprint" | "rootNotAfterMs" | "issuerSubject" | "issuerNotAfterMs"
>;

/** Whether what certificates come from lives long enough: none outlives it. */
export function checkAuthority(list: CheckList, ca: AuthorityFacts, nowMs: number): void {
  const leftMs = ca.rootNotAfterMs - nowMs;
  const isOwn = ca.issuerSubject === ca.rootSubject;
  if (leftMs > rootNoticeMs) list.ok("root certificate", `${lifeOf(leftMs)}, ${ca.rootFingerprint}`);
  else {
    list.failure(
      "root certificate",
      `${lifeOf(leftMs)}, ${ca.rootFingerprint}`,
      isOwn
        ? "replace it with 'weft ca rotate': no workload has an identity after that"
        : "add the next root to --root-cert, and issue from it when every proxy has it",
    );
  }
  if (isOwn || ca.issuerNotAfterMs === undefined) return;
  const issuerLeftMs = ca.issuerNotAfterMs - nowMs;
  const detail = `${ca.issuerSubject}, ${lifeOf(issuerLeftMs)}`;
  if (issuerLeftMs > issuerNoticeMs) list.ok("issuing certificate", detail);
  else {
    list.failure(
      "issuing certificate",
      detail,
      "replace --ca-cert, --ca-key and --ca-chain, and restart: no certificate outlives it",
    );
  }
}

function lifeOf(leftMs: number): string {
  return leftMs > 0 ? `valid for another ${formatAge(leftMs)}` : "expired";
}
