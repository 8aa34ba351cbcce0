// The page of one book: asks details and reviews at the same time and shows both.
import { call, serve } from "./service.mjs";

serve("productpage", {
  "/productpage": async (request) => {
    const [details, reviews] = await Promise.all([
      call("details", "/details/0", request),
      call("reviews", "/reviews/0", request, 20_000),
    ]);
    return [200, { product: { id: 0, title: "The Comedy of Errors" }, details, reviews }];
  },
  "/health": () => [200, { status: "productpage is healthy" }],
});
