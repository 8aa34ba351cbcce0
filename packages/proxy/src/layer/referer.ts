const absolute = /^[a-z][a-z0-9+.-]*:\/\/(?:\[[0-9a-f:.]+\]|[^\s/?#@:\\[\]]+)(?::\d+)?(?:[/?][^\s#]*)?$/i;
const relative = /^[^:/#]*(?:\/[^#]*)?$/;

/**
 * Whether a `referer` may be passed on: one with a fragment or with user
 * information is not to be sent (RFC 9110 §10.1.3), and what is neither a URL
 * nor a relative reference says nothing.
 */
export function isReferer(text: string): boolean {
  return absolute.test(text) || relative.test(text);
}
