import { parseArgs } from "node:util";

export const proxyHelp = `Usage: weft proxy -c <bootstrap> [options]

Runs the sidecar on an Envoy bootstrap file, in YAML or JSON.

Options:
  -c, --config-path <file>  Envoy bootstrap
  --concurrency <n>         worker processes on the same ports (default: 1)
  -h, --help                display help for command

Example:
  $ weft proxy -c bootstrap.yaml
`;
