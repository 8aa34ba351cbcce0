import type { Expected } from "./expected.ts";

/** What a client got: an answer with what the echo backend said of the request, or an error. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string;
  readonly error?: string;
}

/** What the echo backend answers. */
interface Echo {
  readonly path: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly pod: string;
}

/** What is wrong with an answer, or undefined when it is as expected. */
export function difference(expected: Expected, answer: Answer): string | undefined {
  const { Response: want = {}, ExpectedRequest, Backend = "", RedirectRequest } = expected;
  if (answer.error !== undefined || answer.status === undefined) return answer.error ?? "no answer";
  const statuses = [...(want.StatusCodes ?? []), ...(want.StatusCode ? [want.StatusCode] : [])];
  const wanted = statuses.length > 0 ? statuses : [200];
  if (!wanted.includes(answer.status)) return `status ${answer.status}, not ${wanted.join(" or ")}`;
  for (const [name, value] of Object.entries(want.Headers ?? {})) {
    const got = answer.headers?.[name.toLowerCase()];
    if (got !== value) return `answered with ${name} ${String(got)}, not ${value}`;
  }
  for (const name of want.AbsentHeaders ?? []) {
    const got = answer.headers?.[name.toLowerCase()];
    if (got !== undefined) return `answered with ${name} ${String(got)}`;
  }
  if (RedirectRequest) return redirectDifference(expected, String(answer.headers?.location));
  if (Backend === "" && !ExpectedRequest) return undefined;
  if (!answer.body) return "answered by no backend";
  const echo = JSON.parse(answer.body) as Echo;
  if (!echo.pod.startsWith(Backend)) return `answered by ${echo.pod}, not ${Backend}`;
  const path = ExpectedRequest?.Request?.Path;
  if (path !== undefined && echo.path !== path) return `arrived as ${echo.path}, not ${path}`;
  for (const [name, value] of Object.entries(ExpectedRequest?.Request?.Headers ?? {})) {
    const got = echo.headers[name.toLowerCase()]?.join(",").replaceAll(", ", ",");
    if (got !== value) return `arrived with ${name} ${got}, not ${value}`;
  }
  for (const name of ExpectedRequest?.AbsentHeaders ?? []) {
    const got = echo.headers[name.toLowerCase()];
    if (got) return `arrived with ${name} ${got.join(",")}`;
  }
  return undefined;
}

/** What the expectation does not say of a location is as in the request. */
function redirectDifference(
  { Request, RedirectRequest: want = {} }: Expected,
  location: string,
): string | undefined {
  if (!URL.canParse(location)) return `redirected to "${location}"`;
  const got = new URL(location);
  const parts: readonly [string, string, string][] = [
    ["scheme", got.protocol.replace(":", ""), want.Scheme ?? "http"],
    ["host", got.hostname, want.Host ?? Request.Host ?? "echo"],
    ["port", got.port, want.Port ?? ""],
    ["path", got.pathname, want.Path ?? Request.Path ?? "/"],
  ];
  const wrong = parts.find(([, have, wanted]) => have !== wanted);
  return wrong && `redirected to ${location}: ${wrong[0]} is not ${wrong[2]}`;
}
