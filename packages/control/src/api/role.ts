/** What an operator may do, each including those before it. */
export const roles = ["read", "write", "admin"] as const;
export type Role = (typeof roles)[number];

export function allows(has: Role, needs: Role): boolean {
  return roles.indexOf(has) >= roles.indexOf(needs);
}
