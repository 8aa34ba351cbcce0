import { parseJwt } from "./json-web-token.ts";
import { type JwtFailure, jwtFailures } from "./jwt-failure.ts";
import type { JwtProvider, VerificationContext } from "./jwt-provider.ts";
import { type FoundToken, findTokens } from "./token-location.ts";

/** Calls `onDone` once, with undefined where the requirement is met; at once unless keys are fetched. */
export type Verify = (
  context: VerificationContext,
  onDone: (failure: JwtFailure | undefined) => void,
) => void;

/** What a request must bring. @see envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement */
export type JwtRequirement =
  | {
      readonly kind: "provider";
      readonly provider: JwtProvider;
      /** In place of the provider's own. */
      readonly audiences: readonly string[] | undefined;
    }
  | { readonly kind: "any" | "all"; readonly requirements: readonly JwtRequirement[] }
  /** Tokens of these providers must be good where there are any. */
  | { readonly kind: "allow-missing"; readonly providers: readonly JwtProvider[] }
  /** Good tokens of these providers are used, bad ones are as none. */
  | { readonly kind: "allow-missing-or-failed"; readonly providers: readonly JwtProvider[] }
  | { readonly kind: "nothing" };

/** Compiles a requirement; branches are tried in order, each when the one before has answered. */
export function compileRequirement(requirement: JwtRequirement): Verify {
  switch (requirement.kind) {
    case "nothing":
      return (_context, onDone) => onDone(undefined);
    case "provider": {
      const { provider, audiences } = requirement;
      return (context, onDone) => verifyProvider(provider, audiences, context, onDone);
    }
    case "any":
      return anyOf(requirement.requirements.map(compileRequirement));
    case "all":
      return allOf(requirement.requirements.map(compileRequirement));
    case "allow-missing":
    case "allow-missing-or-failed": {
      const { providers, kind } = requirement;
      return (context, onDone) => verifyOptional(providers, kind === "allow-missing", context, onDone);
    }
  }
}

/** All tokens a provider's locations hold must be good: the service must not take a bad one for one that was checked. */
function verifyProvider(
  provider: JwtProvider,
  audiences: readonly string[] | undefined,
  context: VerificationContext,
  onDone: (failure: JwtFailure | undefined) => void,
): void {
  const request = context.exchange.request!;
  const fail = (failure: JwtFailure) => {
    const { failureMetadata } = provider.plan;
    blame(context, provider, failure);
    if (failureMetadata !== "") {
      context.metadata.set(failureMetadata, { code: `${failure.code}`, message: failure.message });
    }
    onDone(failure);
  };
  provider.sanitize(request.headers);
  const tokens = findTokens(request, [provider.plan.locations]);
  if (tokens.length === 0) {
    fail(jwtFailures.missing);
    return;
  }
  const next = (i: number): void => {
    if (i < 0) {
      onDone(undefined);
      return;
    }
    provider.verify(tokens[i]!, audiences, context, (failure) => {
      if (failure) fail(failure);
      else next(i - 1);
    });
  };
  next(tokens.length - 1);
}

function verifyOptional(
  providers: readonly JwtProvider[],
  mustBeGood: boolean,
  context: VerificationContext,
  onDone: (failure: JwtFailure | undefined) => void,
): void {
  const request = context.exchange.request!;
  for (const provider of providers) provider.sanitize(request.headers);
  const tokens = findTokens(
    request,
    providers.map((provider) => provider.plan.locations),
  );
  let last: JwtFailure | undefined;
  const next = (i: number): void => {
    if (i < 0) {
      onDone(mustBeGood ? last : undefined);
      return;
    }
    const token = tokens[i]!;
    const provider = issuerOf(token, providers);
    if (!provider) {
      last = unreadable(token);
      blame(context, providers[token.provider]!, last);
      next(i - 1);
      return;
    }
    provider.verify(token, undefined, context, (failure) => {
      if (failure) {
        last = failure;
        blame(context, provider, failure);
      }
      next(i - 1);
    });
  };
  next(tokens.length - 1);
}

/** The provider in whose locations a token stands and whose issuer it names. */
function issuerOf(found: FoundToken, providers: readonly JwtProvider[]): JwtProvider | undefined {
  const issuer = parseJwt(found.text).token?.issuer;
  if (issuer === undefined) return undefined;
  const place = providers[found.provider]!;
  if (place.plan.issuer === issuer || place.plan.issuer === "") return place;
  return undefined;
}

function unreadable(found: FoundToken): JwtFailure {
  return parseJwt(found.text).failure ?? jwtFailures.unknownIssuer;
}

/** The provider whose token is bad is to blame before one that found none of its own. */
function blame(context: VerificationContext, { plan }: JwtProvider, failure: JwtFailure): void {
  const isVague = failure === jwtFailures.missing || failure === jwtFailures.unknownIssuer;
  if (!isVague || context.refusedBy === "") context.refusedBy = plan.name;
}

/** Which of two failures to tell of: a bad token says more than a missing one. */
function worse(before: JwtFailure | undefined, after: JwtFailure): JwtFailure {
  return before !== undefined && after === jwtFailures.missing ? before : after;
}

function anyOf(verifiers: readonly Verify[]): Verify {
  return (context, onDone) => {
    const next = (i: number, failure: JwtFailure | undefined): void => {
      if (i === verifiers.length) onDone(failure);
      else
        verifiers[i]!(context, (result) =>
          result ? next(i + 1, worse(failure, result)) : onDone(undefined),
        );
    };
    next(0, undefined);
  };
}

function allOf(verifiers: readonly Verify[]): Verify {
  return (context, onDone) => {
    const next = (i: number): void => {
      if (i === verifiers.length) onDone(undefined);
      else verifiers[i]!(context, (result) => (result ? onDone(result) : next(i + 1)));
    };
    next(0);
  };
}
