/** How a proxy is started. */
export interface ProxySettings {
  /** 0: as many workers as there are processors. Undefined: as it is started without. */
  readonly concurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}
