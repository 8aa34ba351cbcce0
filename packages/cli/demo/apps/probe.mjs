// Calls one URL COUNT times, a few at once, and prints what came back as one
// JSON object: how it counts from the caller's side, outside of any mesh code.
//   node probe.mjs URL COUNT [header=value …]
import http from "node:http";

const [url, count, ...headerArguments] = process.argv.slice(2);
const headers = Object.fromEntries(headerArguments.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
const result = { statuses: {}, versions: {}, errors: [], slowestMs: 0, sample: undefined };
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });

function one() {
  const startMs = performance.now();
  return new Promise((resolve) => {
    const request = http.get(url, { headers, agent, timeout: 30_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        result.slowestMs = Math.max(result.slowestMs, performance.now() - startMs);
        result.statuses[response.statusCode] = (result.statuses[response.statusCode] ?? 0) + 1;
        try {
          const body = JSON.parse(text);
          const version = body.version ?? body.reviews?.body?.version;
          if (version) result.versions[version] = (result.versions[version] ?? 0) + 1;
          result.sample ??= body;
        } catch {
          result.sample ??= text;
        }
        resolve();
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer within 30 s")));
    request.on("error", (error) => {
      result.errors.push(error.message);
      resolve();
    });
  });
}

let left = Number(count);
async function worker() {
  while (left-- > 0) await one();
}
await Promise.all(Array.from({ length: Math.min(8, left) }, worker));
console.log(JSON.stringify(result));
process.exit(0);
