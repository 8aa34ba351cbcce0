import type { RequestHead } from "../../layer/message.ts";
import { findCookie } from "../find-cookie.ts";
import { parseQuery, withoutParameter, withQuery } from "../query-parameters.ts";

/** Where tokens may stand in a request. @see JwtProvider.from_headers, from_params, from_cookies */
export interface TokenLocations {
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly parameters: readonly string[];
  readonly cookies: readonly string[];
}

/** A token that was found, and how to take it out of the request. */
export interface FoundToken {
  readonly text: string;
  /** The provider in whose locations it stood. */
  readonly provider: number;
  remove(request: RequestHead): void;
}

/** More tokens in one request are not looked at: the last ones found fail with those before. */
const maxTokens = 16;

/** The tokens that stand in the locations of providers, in the order of headers, parameters, cookies. */
export function findTokens(request: RequestHead, providers: readonly TokenLocations[]): FoundToken[] {
  const found: FoundToken[] = [];
  const add = (text: string, provider: number, remove: FoundToken["remove"]) => {
    if (found.length < maxTokens) found.push({ text, provider, remove });
  };
  providers.forEach(({ headers }, provider) => {
    for (const { name, prefix } of headers) {
      const { flat } = request.headers;
      for (let i = 0; i < flat.length; i += 2) {
        if (flat[i] !== name) continue;
        const text = afterPrefix(flat[i + 1]!, prefix);
        if (text !== undefined) add(text, provider, ({ headers: list }) => list.remove(name));
      }
    }
  });
  providers.forEach(({ parameters }, provider) => {
    if (parameters.length === 0) return;
    const query = queryOf(request.path);
    for (const name of parameters) {
      const text = query?.get(name);
      if (typeof text === "string") add(text, provider, removeParameter(name));
    }
  });
  providers.forEach(({ cookies }, provider) => {
    if (cookies.length === 0) return;
    const field = request.headers.getAll("cookie")?.replaceAll(",", ";");
    for (const name of cookies) {
      const text = field === undefined ? undefined : findCookie(field, name);
      if (text !== undefined) add(text, provider, () => {});
    }
  });
  return found;
}

/** What follows the prefix, from the first character a token can begin with; undefined without the prefix. */
function afterPrefix(value: string, prefix: string): string | undefined {
  if (prefix === "") return value;
  const at = value.indexOf(prefix);
  if (at < 0) return undefined;
  const rest = value.slice(at + prefix.length);
  const start = rest.search(/[A-Za-z0-9_.-]/);
  return start < 0 ? value : rest.slice(start);
}

function queryOf(path: string): URLSearchParams | undefined {
  const mark = path.indexOf("?");
  return mark < 0 ? undefined : new URLSearchParams(path.slice(mark + 1));
}

function removeParameter(name: string): FoundToken["remove"] {
  return (head) => {
    head.path = withQuery(head.path, withoutParameter(parseQuery(head.path), name));
  };
}
