import { flat } from "../net/latin1.ts";

/**
 * Compiles a time format (`strftime`, UTC, with Envoy's `%f`, `%1f` … `%9f` for
 * fractions of a second) into a function of milliseconds since the epoch. What
 * only changes once a second is remembered, and so is the latest text.
 *
 * @throws SyntaxError naming a conversion that is not known.
 */
export function compileTimeFormat(format = "%Y-%m-%dT%H:%M:%S.%3fZ"): (epochMs: number) => string {
  /** What changes once a second, before, between and after the fractions. */
  const stretches: ((date: Date) => string)[][] = [[]];
  const fractions: number[] = [];
  for (const [whole, digits, letter] of format.matchAll(/%([1-9])?([A-Za-z%])|[^%]+|%/g)) {
    const stretch = stretches.at(-1)!;
    if (letter === undefined) {
      if (whole === "%") throw new SyntaxError(`time format ${JSON.stringify(format)} ends in %; write %%`);
      stretch.push(() => whole);
    } else if (letter === "f") {
      fractions.push(Number(digits ?? 9));
      stretches.push([]);
    } else {
      const convert = digits === undefined ? conversions[letter] : undefined;
      if (!convert)
        throw new SyntaxError(`unknown conversion ${whole} in time format ${JSON.stringify(format)}`);
      stretch.push(convert);
    }
  }
  const isLatin1 = /^[\0-\xff]*$/.test(format);
  let lastSecond = Number.NaN;
  let texts: readonly string[] = [];
  const isFine = fractions.some((digits) => digits > 3);
  let lastMoment = Number.NaN;
  let lastText = "";
  return (epochMs) => {
    const moment = isFine ? epochMs : Math.floor(epochMs);
    if (moment === lastMoment) return lastText;
    const second = Math.floor(epochMs / 1_000);
    const isNew = second !== lastSecond;
    if (isNew) {
      const date = new Date(epochMs);
      texts = stretches.map((stretch) => stretch.map((convert) => convert(date)).join(""));
      lastSecond = second;
    }
    if (isNew || fractions.length > 0) {
      let text = texts[0]!;
      for (let i = 0; i < fractions.length; i++) text += fraction(epochMs, fractions[i]!) + texts[i + 1]!;
      lastText = isLatin1 ? flat(text) : text;
    }
    lastMoment = moment;
    return lastText;
  };
}

function fraction(epochMs: number, digits: number): string {
  const nanoseconds = String(Math.floor((epochMs % 1_000) * 1e6)).padStart(9, "0");
  return nanoseconds.slice(0, digits);
}

const two = (value: number) => String(value).padStart(2, "0");
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const dayOfYear = (date: Date) =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
const ymd = (date: Date) =>
  `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
const hms = (date: Date) =>
  `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;

const conversions: Readonly<Record<string, (date: Date) => string>> = {
  "%": () => "%",
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, " "),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 || 12),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  a: (date) => days[date.getUTCDay()]!.slice(0, 3),
  A: (date) => days[date.getUTCDay()]!,
  b: (date) => months[date.getUTCMonth()]!.slice(0, 3),
  h: (date) => months[date.getUTCMonth()]!.slice(0, 3),
  B: (date) => months[date.getUTCMonth()]!,
  j: (date) => String(dayOfYear(date)).padStart(3, "0"),
  F: ymd,
  T: hms,
  D: (date) => `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(date.getUTCFullYear() % 100)}`,
  R: (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`,
  s: (date) => String(Math.floor(date.getTime() / 1_000)),
  z: () => "+0000",
  Z: () => "UTC",
};
