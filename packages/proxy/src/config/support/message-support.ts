/** What this proxy does with the fields of one message. Names are the API's own. */
export interface MessageSupport {
  /** Read by a decoder and acted upon, separated by spaces. */
  readonly implemented: string;
  /** Accepted without effect because it cannot change what a request sees here; each with its reason. */
  readonly harmless?: Readonly<Record<string, string>>;
  /** Accepted only at its default value, which asks for nothing. */
  readonly neutral?: string;
}
