import { CelError } from "./cel-node.ts";

export interface CelToken {
  readonly kind: "name" | "int" | "double" | "string" | "symbol" | "end";
  readonly text: string;
  readonly at: number;
}

const space = /\s+|\/\/[^\n]*/y;
const number = /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0[xX][0-9a-fA-F]+|\d+)/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const symbol = /\|\||&&|==|!=|<=|>=|[-+*/%!<>?:.,()[\]{}]/y;
const string = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y;

/** The tokens of an expression, the last of which is its end. @throws CelError */
export function celTokens(text: string): CelToken[] {
  const tokens: CelToken[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  while (at < text.length) {
    const blank = take(space);
    if (blank) {
      at += blank.length;
      continue;
    }
    const token = next(take, at);
    const written = token.kind === "string" ? take(string)! : token.text;
    tokens.push(token);
    at += written.length;
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

function next(take: (pattern: RegExp) => string | undefined, at: number): CelToken {
  const digits = take(number);
  if (digits) return { kind: /^0[xX]|^\d+$/.test(digits) ? "int" : "double", text: digits, at };
  const word = take(name);
  if (word) return { kind: "name", text: word, at };
  const quoted = take(string);
  if (quoted) return { kind: "string", text: unescaped(quoted.slice(1, -1), at), at };
  const sign = take(symbol);
  if (sign) return { kind: "symbol", text: sign, at };
  throw new CelError("this is no part of an expression", at);
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

function unescaped(body: string, at: number): string {
  return body.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, code: string) => {
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const meant = escapes[code];
    if (meant === undefined) throw new CelError(`\\${code} stands for nothing`, at);
    return meant;
  });
}
