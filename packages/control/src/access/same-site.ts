import type { IncomingMessage } from "node:http";
import { ApiRefusal } from "../api/refusal.ts";

/**
 * Refuses what a page of another site makes a browser send: a certificate or a
 * cookie goes along with it whoever wrote the page. Programs send neither header.
 * That somebody follows a link to the dashboard is no such thing: they see what
 * they get, and the page that they came from does not.
 *
 * @see https://www.w3.org/TR/fetch-metadata/
 * @throws ApiRefusal 403
 */
export function refuseOtherSites(request: IncomingMessage): void {
  const { headers } = request;
  if (isLinkToPages(request)) return;
  const site = headers["sec-fetch-site"];
  const { origin, host } = headers;
  const isOther = site !== undefined && site !== "same-origin" && site !== "none";
  const isOtherOrigin = origin !== undefined && origin.replace(/^https?:\/\//, "") !== host;
  if (isOther || isOtherOrigin) {
    throw new ApiRefusal(403, {
      error: "this was sent by another site's page",
      hint: "open the control plane's own address",
    });
  }
}

function isLinkToPages({ method, url = "", headers }: IncomingMessage): boolean {
  const isLink = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  return method === "GET" && isLink && (url === "/dashboard" || url.startsWith("/dashboard/"));
}
