let cachedSecond = 0;
let cachedText = "";

/** RFC 9110 §5.6.7 date, formatted once per second. */
export function httpDate(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = new Date(second * 1000).toUTCString();
  }
  return cachedText;
}
