import type { Diagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type { ApiErrorBody } from "./protocol.ts";

/** The control plane refused a request; `diagnostics` say where and why when it was about configuration. */
export class ApiError extends UserError {
  readonly status: number;
  readonly diagnostics: readonly Diagnostic[];

  constructor(status: number, body: ApiErrorBody) {
    super(body.error, { hint: body.hint });
    this.status = status;
    this.diagnostics = body.diagnostics ?? [];
  }
}

/** What an answer that is not 2xx says. */
export function apiErrorOf(status: number, text: string): ApiError {
  const answer = parseAnswer(text) as Partial<ApiErrorBody> | null;
  if (typeof answer === "object" && typeof answer?.error === "string") {
    return new ApiError(status, answer as ApiErrorBody);
  }
  return new ApiError(status, { error: `the control plane answered with status ${status}` });
}

/** @throws ApiError when it is not JSON */
export function parseAnswer(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    const begin = text.slice(0, 100);
    throw new ApiError(502, { error: `the control plane answered something that is not JSON: ${begin}` });
  }
}
