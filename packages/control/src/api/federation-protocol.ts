import { choice, type Infer, integer, list, number, object, optional, text } from "./schema.ts";

/** What is verified of other trust domains, as the API has it. */

const federatedDomain = object(
  "FederatedDomain",
  {
    trustDomain: text(),
    from: text("The resource that says so."),
    url: optional(text("Of its bundle endpoint; absent where its roots are written down.")),
    profile: optional(choice(["https_web", "https_spiffe"])),
    endpointSpiffeId: optional(text()),
    state: choice(
      ["fetched", "initial", "unknown"],
      "What holds: what was fetched last, what an operator gave to begin with, or nothing.",
    ),
    roots: list(object(undefined, { subject: text(), fingerprint: text(), notAfterMs: number() })),
    jwtKeys: integer("How many keys verify its JWT-SVIDs."),
    sequence: optional(text("Decimal: it may be longer than a number.")),
    refreshHintSeconds: optional(number()),
    fetchedAtMs: optional(number()),
    changedAtMs: optional(number("When its keys were others last.")),
    nextAtMs: optional(number("When it is asked for again.")),
    problem: optional(text("Why the last attempt to renew it failed.")),
    bundle: optional(text("The bundle document that holds.")),
  },
  "Another trust domain whose identities are verified.",
);
export type FederatedDomain = Infer<typeof federatedDomain>;

export const federationStatus = object("FederationStatus", {
  trustDomain: text(),
  aliases: list(text()),
  endpoint: optional(
    object(
      undefined,
      {
        address: text(),
        port: integer(),
        profile: choice(["https_web", "https_spiffe"]),
        spiffeId: optional(text()),
      },
      "Where others fetch the bundle of this trust domain; absent where it is not served.",
    ),
  ),
  bundle: text("The bundle document of this trust domain."),
  domains: list(federatedDomain),
});
export type FederationStatus = Infer<typeof federationStatus>;
