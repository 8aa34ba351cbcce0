// Stars by reviewer; and votes, over plain TCP, for who has no HTTP.
import { serve, serveLines } from "./service.mjs";

serve("ratings", {
  "/ratings/": () => [200, { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } }],
  "/health": () => [200, { status: "ratings is healthy" }],
});

let votes = 0;
serveLines(9070, () => {
  votes += 1;
  return `${votes} votes`;
});
