// What nobody can change any more, as hardened applications have it.
for (const name of ["node:http", "node:http2"]) Object.freeze(require(name));
