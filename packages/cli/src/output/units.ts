/** What stands where there is no number. */
const none = "-";

/** `45s`, `12m`, `3h`, `9d`: the largest unit that says enough. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return none;
  return ms < 10 ? `${ms.toFixed(1)}ms` : ms < 10_000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

/** A share of 1 as a percentage; 100.00% only when it is all. */
export function formatShare(share: number | undefined): string {
  if (share === undefined) return none;
  const text = (share * 100).toFixed(2);
  return share < 1 && text === "100.00" ? "99.99%" : `${text}%`;
}

export function formatRate(perSecond: number | undefined): string {
  return perSecond === undefined ? none : perSecond.toFixed(1);
}
