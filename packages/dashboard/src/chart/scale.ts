/** Maps a value to a place; `domain` of no extent maps to the middle. */
export function linearScale(
  domain: readonly [number, number],
  range: readonly [number, number],
): (value: number) => number {
  const [from, to] = domain;
  const [start, end] = range;
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

/** Round numbers from 0 to at least `max`, some `count` of them; the last one is the end of the axis. */
export function niceTicks(max: number, count: number): readonly number[] {
  if (!(max > 0) || !Number.isFinite(max)) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((one) => one >= rough * 0.999)!;
  const ticks: number[] = [];
  for (let i = 0; ticks.length === 0 || ticks.at(-1)! < max * 0.999; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks.length > 1 ? ticks : [0, step];
}

const minute = 60_000;
const timeSteps = [1, 2, 5, 10, 15, 20, 30, 60].map((n) => n * minute);

/** Full minutes between two times, at most `count` of them. */
export function timeTicks(startMs: number, endMs: number, count: number): readonly number[] {
  const step = timeSteps.find((one) => (endMs - startMs) / one <= count) ?? 120 * minute;
  const ticks: number[] = [];
  for (let at = Math.ceil(startMs / step) * step; at <= endMs; at += step) ticks.push(at);
  return ticks;
}
