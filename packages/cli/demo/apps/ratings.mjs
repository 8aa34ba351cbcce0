// Stars by reviewer.
import { serve } from "./service.mjs";

serve("ratings", {
  "/ratings/": () => [200, { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } }],
  "/health": () => [200, { status: "ratings is healthy" }],
});
