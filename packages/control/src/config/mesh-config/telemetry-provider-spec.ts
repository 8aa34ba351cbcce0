/** Providers of telemetry, as MeshConfig has them; one of the kinds is set. */
export interface TelemetryProviderSpec {
  readonly prometheus?: object;
  readonly envoyFileAccessLog?: FileAccessLogProviderSpec;
  readonly envoyHttpAls?: HttpAlsProviderSpec;
  readonly envoyTcpAls?: AlsProviderSpec;
  readonly envoyOtelAls?: OtelAlsProviderSpec;
  readonly zipkin?: ZipkinProviderSpec;
  readonly opentelemetry?: OpenTelemetryProviderSpec;
}

export interface FileAccessLogProviderSpec {
  readonly path?: string;
  readonly logFormat?: { readonly text?: string; readonly labels?: Readonly<Record<string, unknown>> };
  readonly omitEmptyValues?: boolean;
}

/** `service`: `[namespace/]hostname` */
export interface ServiceProviderSpec {
  readonly service: string;
  readonly port: number;
}

export interface AlsProviderSpec extends ServiceProviderSpec {
  readonly logName?: string;
}

export interface HttpAlsProviderSpec extends AlsProviderSpec {
  readonly additionalRequestHeadersToLog?: readonly string[];
  readonly additionalResponseHeadersToLog?: readonly string[];
  readonly additionalResponseTrailersToLog?: readonly string[];
}

export interface OtelAlsProviderSpec extends AlsProviderSpec {
  readonly logFormat?: { readonly text?: string; readonly labels?: Readonly<Record<string, unknown>> };
}

export interface HttpHeaderSpec {
  readonly name: string;
  readonly value?: string;
}

export interface ZipkinProviderSpec extends ServiceProviderSpec {
  readonly maxTagLength?: number;
  readonly enable64bitTraceId?: boolean;
  readonly path?: string;
  readonly timeout?: string;
  readonly headers?: readonly HttpHeaderSpec[];
}

export interface OpenTelemetryProviderSpec extends ServiceProviderSpec {
  readonly maxTagLength?: number;
  readonly http?: {
    readonly path: string;
    readonly timeout?: string;
    readonly headers?: readonly HttpHeaderSpec[];
  };
  readonly grpc?: { readonly timeout?: string; readonly initialMetadata?: readonly HttpHeaderSpec[] };
  readonly resourceDetectors?: { readonly environment?: object };
}
