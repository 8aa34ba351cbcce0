// Reviews of a book. Version v1 shows no stars, v2 black ones and v3 red ones,
// which v2 and v3 get from the ratings service.
import { call, serve } from "./service.mjs";

const version = process.env.VERSION ?? "v1";
const color = { v2: "black", v3: "red" }[version];

async function rating(request) {
  if (!color) return undefined;
  const { status, body } = await call("ratings", "/ratings/0", request);
  return status === 200
    ? (reviewer) => ({ stars: body.ratings[reviewer], color })
    : () => ({ error: "the ratings service is currently unavailable", status });
}

serve("reviews", {
  "/reviews/": async (request) => {
    const rate = await rating(request);
    const review = (reviewer, text) => ({ reviewer, text, rating: rate?.(reviewer) });
    return [
      200,
      {
        id: 0,
        version,
        reviews: [
          review("Reviewer1", "Two pairs of twins, one day, and nobody writes anything down."),
          review("Reviewer2", "I laughed, then lost count of who had the gold chain."),
        ],
      },
    ];
  },
  "/health": () => [200, { status: "reviews is healthy" }],
});
