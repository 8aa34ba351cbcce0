/** What stands where there is no number. */
export const none = "–";

/** Calls per second: as many digits as say something. */
export function formatRate(perSecond: number | null | undefined): string {
  if (perSecond === undefined || perSecond === null) return none;
  if (perSecond === 0) return "0";
  if (perSecond < 10) return perSecond.toFixed(1);
  if (perSecond < 10_000) return String(Math.round(perSecond));
  return `${(perSecond / 1000).toFixed(perSecond < 100_000 ? 1 : 0)}k`;
}

export function formatMs(ms: number | null | undefined): string {
  if (ms === undefined || ms === null) return none;
  if (ms === 0) return "0 ms";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A share of 1; 100 % only when it is all, and 0 % only when it is none. */
export function formatShare(share: number | null | undefined): string {
  if (share === undefined || share === null) return none;
  if (share > 0.9995 && share < 1) return "99.9 %";
  if (share > 0 && share < 0.0005) return "0.1 %";
  const text = (share * 100).toFixed(1);
  return `${text.endsWith(".0") ? text.slice(0, -2) : text} %`;
}

export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return none;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** `45 s`, `12 min`, `3 h`, `9 d`: the largest unit that says enough; the same behind now and before it. */
export function formatAge(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `14:03:27`, in the reader's own time. */
export function formatTime(ms: number, hasSeconds = true): string {
  const date = new Date(ms);
  const part = (value: number) => String(value).padStart(2, "0");
  const minutes = `${part(date.getHours())}:${part(date.getMinutes())}`;
  return hasSeconds ? `${minutes}:${part(date.getSeconds())}` : minutes;
}

/** `reviews` of a SPIFFE ID's service account, with its namespace; the text itself when it is none. */
export function formatIdentity(identity: string): string {
  const [, namespace, account] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity) ?? [];
  return namespace ? `${namespace}/${account}` : identity || "no identity";
}
