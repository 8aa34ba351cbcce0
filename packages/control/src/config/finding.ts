import type { Diagnostics } from "@weft/base/diagnostics";
import type { Origins } from "./origins.ts";
import { didYouMean } from "./suggest.ts";
import {
  headerValueProblem,
  isGatewayName,
  isHeaderName,
  isHostPattern,
  parseCidr,
  parseDurationMs,
  regexProblem,
} from "./values.ts";

/** What checks of a spec get to know about its resource. */
export interface CheckedMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The findings about one resource's values: each check takes the path of what it looks at. */
export class Finding {
  readonly #origins: Origins;
  readonly #diagnostics: Diagnostics;
  hasErrors = false;

  constructor(origins: Origins, diagnostics: Diagnostics) {
    this.#origins = origins;
    this.#diagnostics = diagnostics;
  }

  error(code: string, path: string, message: string, hint?: string): void {
    this.hasErrors = true;
    this.#diagnostics.error(code, this.#origins.at(path), message, hint);
  }

  warning(code: string, path: string, message: string, hint?: string): void {
    this.#diagnostics.warning(code, this.#origins.at(path), message, hint);
  }

  info(code: string, path: string, message: string, hint?: string): void {
    this.#diagnostics.info(code, this.#origins.at(path), message, hint);
  }

  duration(path: string, value: string | undefined, options: { minMs?: number } = {}): void {
    if (value === undefined) return;
    const ms = parseDurationMs(value);
    if (ms === undefined) {
      this.error(
        "W1201",
        path,
        `${path}: "${value}" is not a duration`,
        'write for example "5s", "250ms" or "1m30s"',
      );
    } else if (options.minMs !== undefined && ms < options.minMs) {
      this.error("W1201", path, `${path}: "${value}" is too short`, `at least ${options.minMs}ms`);
    }
  }

  regex(path: string, pattern: string | undefined): void {
    const problem = pattern === undefined ? undefined : regexProblem(pattern);
    if (problem) this.error("W1202", path, `${path} ${problem}`);
  }

  host(path: string, host: string): void {
    if (isHostPattern(host)) return;
    this.error(
      "W1203",
      path,
      `${path}: "${host}" is not a host name`,
      "letters, digits, dashes and dots; * only first",
    );
  }

  /** `region/zone/subzone`, the last two optional. */
  locality(path: string, value: string | undefined): void {
    if (value === undefined || /^[^/]+(\/[^/]+){0,2}$/.test(value)) return;
    const message = `${path}: "${value}" is not a locality`;
    this.error("W1211", path, message, "write region, region/zone or region/zone/subzone");
  }

  cidr(path: string, value: string): void {
    if (parseCidr(value)) return;
    this.error(
      "W1204",
      path,
      `${path}: "${value}" is not an IP address or range`,
      "write for example 10.0.0.0/8",
    );
  }

  port(path: string, port: number | undefined): void {
    if (port === undefined || (port >= 1 && port <= 65535)) return;
    this.error("W1208", path, `${path}: ${port} is not a port`, "1 to 65535");
  }

  headerName(path: string, name: string): void {
    if (!isHeaderName(name)) this.error("W1206", path, `${path}: "${name}" is not a header name`);
  }

  headerValue(path: string, value: string): void {
    const problem = headerValueProblem(value);
    if (problem) this.error("W1206", path, `${path}: the value ${problem}`);
  }

  range(path: string, value: number | undefined, low: number, high: number): void {
    if (value === undefined || (value >= low && value <= high)) return;
    this.error("W1105", path, `${path}: ${value} is out of range`, `${low} to ${high}`);
  }

  gatewayNames(path: string, names: readonly string[] | undefined): void {
    names?.forEach((name, i) => {
      if (isGatewayName(name)) return;
      const at = `${path}[${i}]`;
      this.error(
        "W1203",
        at,
        `${at}: "${name}" names no Gateway`,
        'write "name", "namespace/name" or "mesh"',
      );
    });
  }

  /** One of a fixed set of words. */
  word(path: string, value: string, known: readonly string[]): void {
    if (known.includes(value)) return;
    const hint = didYouMean(value, known) ?? `one of ${known.join(", ")}`;
    this.error("W1103", path, `${path}: unknown value ${value}`, hint);
  }
}
