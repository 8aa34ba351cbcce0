// A reader of the product page: RATE requests per second, one JSON line to
// standard output for each answer. Once a second it votes, over TCP.
import { call, sendLine } from "./service.mjs";

const intervalMs = 1000 / Number(process.env.RATE ?? 20);

async function visit() {
  const startMs = performance.now();
  const { status, body } = await call("productpage", "/productpage", undefined, 30_000);
  const { details, reviews } = body;
  console.log(
    JSON.stringify({
      at: Date.now(),
      ms: Math.round((performance.now() - startMs) * 10) / 10,
      status,
      details: details?.status ?? 0,
      reviews: reviews?.status ?? 0,
      version: reviews?.body?.version,
      stars: reviews?.body?.reviews?.[0]?.rating,
      error:
        status === 200
          ? (details?.body?.error ?? reviews?.body?.error ?? reviews?.body?.reviews?.[0]?.rating?.error)
          : body.error,
    }),
  );
}

const timer = setInterval(visit, intervalMs);
const votes = setInterval(sendLine, 1_000, "ratings", 9070, "+1 Reviewer1");
process.on("SIGTERM", () => {
  clearInterval(timer);
  clearInterval(votes);
  process.exit(0);
});
