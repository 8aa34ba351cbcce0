/** A request and what it must be answered with, as the conformance tests write them. */
export interface Expected {
  readonly TestCaseName?: string;
  readonly Backend?: string;
  readonly Request: {
    readonly Host?: string;
    readonly Path?: string;
    readonly Method?: string;
    readonly Protocol?: string;
    readonly Headers?: Readonly<Record<string, string>>;
  };
  readonly ExpectedRequest?: {
    readonly Request?: { readonly Path?: string; readonly Headers?: Readonly<Record<string, string>> };
    readonly AbsentHeaders?: readonly string[];
  };
  readonly RedirectRequest?: {
    readonly Scheme?: string;
    readonly Host?: string;
    readonly Port?: string;
    readonly Path?: string;
  };
  readonly Response?: {
    readonly StatusCode?: number;
    readonly StatusCodes?: readonly number[];
    readonly Headers?: Readonly<Record<string, string>>;
    readonly AbsentHeaders?: readonly string[];
  };
}
