/** Where the certificate authority tells its operator things, in the shape of a `pino` logger. */
export interface CaLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
