import { isIP } from "node:net";
import type { Finding } from "./finding.ts";
import type { ProbeSpec, WorkloadGroupSpec } from "./service-specs.ts";

export function checkWorkloadGroup(spec: WorkloadGroupSpec, find: Finding): void {
  const { template, probe } = spec;
  for (const [name, port] of Object.entries(template.ports ?? {})) {
    find.port(`spec.template.ports.${name}`, port);
  }
  find.locality("spec.template.locality", template.locality);
  if (probe) checkProbe(probe, "spec.probe", find);
}

function checkProbe(probe: ProbeSpec, path: string, find: Finding): void {
  const { httpGet, tcpSocket, exec, grpc } = probe;
  if (!httpGet && !tcpSocket && !exec && !grpc) {
    find.error("W1104", path, `${path} asks for nothing`, "add httpGet, tcpSocket, grpc or exec");
  }
  for (const field of ["initialDelaySeconds", "periodSeconds", "timeoutSeconds"] as const) {
    find.range(`${path}.${field}`, probe[field], 0, 86_400);
  }
  for (const field of ["successThreshold", "failureThreshold"] as const) {
    find.range(`${path}.${field}`, probe[field], 0, 1_000);
  }
  for (const [name, method] of Object.entries({ httpGet, tcpSocket })) {
    if (!method) continue;
    find.port(`${path}.${name}.port`, method.port);
    const { host } = method;
    if (host && isIP(host) === 0) find.host(`${path}.${name}.host`, host);
  }
  if (grpc) find.port(`${path}.grpc.port`, grpc.port ?? 0);
  if (exec) checkCommand(exec.command, `${path}.exec.command`, find);
  if (httpGet?.scheme) find.word(`${path}.httpGet.scheme`, httpGet.scheme.toUpperCase(), ["HTTP", "HTTPS"]);
  if (httpGet?.path && !/^\/[\x21-\x7e]*$/.test(httpGet.path)) {
    find.error("W1211", `${path}.httpGet.path`, `${path}.httpGet.path: not a path`, 'for example "/ready"');
  }
  httpGet?.httpHeaders?.forEach(({ name = "", value = "" }, i) => {
    find.headerName(`${path}.httpGet.httpHeaders[${i}].name`, name);
    find.headerValue(`${path}.httpGet.httpHeaders[${i}].value`, value);
  });
}

function checkCommand(command: readonly string[], path: string, find: Finding): void {
  if (command.length === 0) find.error("W1104", path, `${path} is empty`, "name a program");
  command.forEach((word, i) => {
    if (!word.includes("\0")) return;
    find.error("W1211", `${path}[${i}]`, `${path}[${i}] holds a NUL`, "no program can be given one");
  });
}
