/**
 * One version of a service: says which it is, and does what it is told.
 *
 *   node app.mjs HOST:PORT VERSION
 *
 * GET /be/well, /be/broken, /be/slow change what it does from then on.
 */
import { createServer } from "node:http";

const [place = "", version = ""] = process.argv.slice(2);
let mode = "well";

createServer((request, response) => {
  const told = /^\/be\/(well|broken|slow)$/.exec(request.url ?? "");
  if (told) mode = told[1];
  response.statusCode = !told && mode === "broken" ? 500 : 200;
  setTimeout(() => response.end(version), !told && mode === "slow" ? 600 : 0);
}).listen(Number(place.split(":")[1]), place.split(":")[0]);
