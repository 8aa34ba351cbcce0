import type { ApiErrorBody } from "./protocol.ts";

/** An answer other than 200: what was wrong with the request, and the next step. */
export class ApiRefusal extends Error {
  override readonly name = "ApiRefusal";
  readonly status: number;
  readonly body: ApiErrorBody;

  constructor(status: number, body: ApiErrorBody) {
    super(body.error);
    this.status = status;
    this.body = body;
  }
}
