import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Principal, PrincipalSchema } from "@weft/xds/gen/envoy/config/rbac/v3/rbac_pb";

type Identifier = Exclude<MessageInitShape<typeof PrincipalSchema>, Principal>["identifier"];

export function principal(identifier: Identifier): Principal {
  return create(PrincipalSchema, { identifier });
}

export const anyPrincipal = (): Principal => principal({ case: "any", value: true });
export const allOf = (ids: Principal[]): Principal =>
  ids.length === 1 ? ids[0]! : principal({ case: "andIds", value: { ids } });
export const oneOf = (ids: Principal[]): Principal =>
  ids.length === 1 ? ids[0]! : principal({ case: "orIds", value: { ids } });
export const not = (id: Principal): Principal => principal({ case: "notId", value: id });

/** The same, where no certificate proves anything: whom it names is nobody. */
export function withoutIdentities(id: Principal): Principal {
  const { identifier } = id;
  switch (identifier.case) {
    case "authenticated":
      return not(anyPrincipal());
    case "notId":
      return not(withoutIdentities(identifier.value));
    case "andIds":
      return allOf(identifier.value.ids.map(withoutIdentities));
    case "orIds":
      return oneOf(identifier.value.ids.map(withoutIdentities));
    default:
      return id;
  }
}
