import { type ClientRequest, type RequestOptions, request } from "node:http";
import { UserError } from "@weft/base/errors";

/** Where a control plane's API is reached. */
export interface ApiEndpoint {
  /** Begins a request. */
  open(options: RequestOptions): ClientRequest;
  /** What a person is to do about a connection that failed. */
  explain(error: NodeJS.ErrnoException): UserError;
}

/** The Unix socket of a control plane on this machine. */
export function socketEndpoint(socketPath: string): ApiEndpoint {
  return {
    open: (options) => request({ ...options, socketPath, agent: false }),
    explain: (error) => explainSocket(error, socketPath),
  };
}

function explainSocket(error: NodeJS.ErrnoException, socket: string): UserError {
  const failure = (message: string, hint: string) =>
    new UserError(message, { hint, exitCode: 3, cause: error });
  switch (error.code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return failure(
        `no control plane answers on ${socket}`,
        "start one with 'weft control-plane', or name its state directory with --state or WEFT_STATE",
      );
    case "EACCES":
    case "EPERM":
      return failure(
        `no permission to use ${socket}`,
        "run the command as the user who runs the control plane",
      );
    case "ETIMEDOUT":
      return failure(
        `the control plane on ${socket} did not answer in time`,
        "see what it says in its log, or ask its /healthz",
      );
    default:
      return failure(
        `the control plane on ${socket} broke off: ${error.message}`,
        "try again; if it stays, look into the control plane's log",
      );
  }
}
