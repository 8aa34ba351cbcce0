const http = require("node:http");
const http2 = require("node:http2");

require("./calls.cjs")({ http, http2, fetch });
