import type { Finding } from "./finding.ts";
import type { HttpRuleSpec } from "./gateway-api-specs.ts";

/** What the rules of a route's CRD ask of a session, and what can be told by a cookie or a header. */
export function checkSessionPersistence(
  { sessionPersistence: session, backendRefs = [] }: Pick<HttpRuleSpec, "sessionPersistence" | "backendRefs">,
  path: string,
  find: Finding,
): void {
  if (!session) return;
  const at = `${path}.sessionPersistence`;
  const { type = "Cookie", cookie, header, absoluteTimeout } = session;
  find.duration(`${at}.absoluteTimeout`, absoluteTimeout, { minMs: 1000 });
  if (type === "Header") {
    if (!header) find.error("W1104", at, `${at}: type Header needs header`, "name the header");
    if (cookie) find.error("W1106", `${at}.cookie`, `${at}: type Header has no cookie`, "remove it");
    if (absoluteTimeout) {
      const message = `${at}: a header says nothing of when its session ends`;
      find.error("W1302", `${at}.absoluteTimeout`, message, "use a cookie, with lifetimeType: Permanent");
    }
  } else {
    if (header) find.error("W1106", `${at}.header`, `${at}: type Cookie has no header`, "remove it");
    const isPermanent = cookie?.lifetimeType === "Permanent";
    if (isPermanent && !absoluteTimeout) {
      find.error("W1104", at, `${at}: lifetimeType Permanent needs absoluteTimeout`, "for example 1h");
    } else if (!isPermanent && absoluteTimeout) {
      const message = `${at}: a cookie that ends with the client's session does not end at a time besides`;
      find.error("W1302", `${at}.absoluteTimeout`, message, "write cookie: { lifetimeType: Permanent }");
    }
    if (cookie?.path && !/^\/[\x21-\x3a\x3c-\x7e]*$/.test(cookie.path)) {
      find.error("W1105", `${at}.cookie.path`, `${at}.cookie.path: "${cookie.path}" is not a path`);
    }
  }
  if (backendRefs.filter(({ weight = 1 }) => weight > 0).length > 1) {
    const message = `${at}: a session is kept within one backend, and each request would go to another by weight`;
    find.error("W1302", at, message, "give each backend a rule of its own");
  }
}
