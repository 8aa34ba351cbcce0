import type { IncomingMessage } from "node:http";
import { ApiRefusal } from "../api/refusal.ts";

/**
 * Refuses what a page of another site makes a browser send: a certificate or a
 * cookie goes along with it whoever wrote the page. Programs send neither header.
 *
 * @see https://www.w3.org/TR/fetch-metadata/
 * @throws ApiRefusal 403
 */
export function refuseOtherSites({ headers }: IncomingMessage): void {
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
