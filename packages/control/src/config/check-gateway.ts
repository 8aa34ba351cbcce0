import { isIP } from "node:net";
import type { Finding } from "./finding.ts";
import type { GatewaySpec, ServerSpec, ServerTlsSpec } from "./gateway-specs.ts";
import { isDnsLabel } from "./values.ts";

const plainHttp = ["HTTP", "HTTP2", "GRPC", "GRPC-WEB"];
const secured = ["HTTPS", "TLS"];
/** What `servers[].port.protocol` may say. */
const serverProtocols = [...plainHttp, ...secured, "TCP", "MONGO", "MYSQL", "REDIS"];

/** The names OpenSSL and Envoy share; TLS 1.3 chooses among its own. */
const cipherSuites = [
  ...["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA"].flatMap(
    (cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`],
  ),
  ...["AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"],
];

/** What listeners are made of, as Istio's own validation has it. */
export function checkGateway(spec: GatewaySpec, find: Finding): void {
  if (!spec.servers?.length) {
    find.error("W1104", "spec", "spec.servers is missing", "name a port, its protocol and its hosts");
  }
  const names = new Map<string, string>();
  spec.servers?.forEach((server, i) => {
    const path = `spec.servers[${i}]`;
    checkServer(server, path, find);
    const first = names.get(server.port.name);
    if (first) {
      const message = `port name "${server.port.name}" is written twice`;
      find.error("W1210", `${path}.port.name`, message, `the first is ${first}: each server needs its own`);
    }
    names.set(server.port.name, first ?? path);
  });
}

function checkServer(server: ServerSpec, path: string, find: Finding): void {
  const { port, bind, hosts, tls } = server;
  find.port(`${path}.port.number`, port.number);
  const protocol = port.protocol.toUpperCase();
  find.word(`${path}.port.protocol`, protocol, serverProtocols);
  if (bind && isIP(bind) === 0) {
    find.error("W1204", `${path}.bind`, `${path}.bind: "${bind}" is not an IP address`, "as in 10.0.0.1");
  }
  if (hosts.length === 0)
    find.error("W1104", `${path}.hosts`, `${path}.hosts is empty`, '"*" takes every host');
  hosts.forEach((host, i) => {
    checkServerHost(host, `${path}.hosts[${i}]`, find);
  });
  if (secured.includes(protocol)) {
    if (tls) checkServerTls(tls, protocol, `${path}.tls`, find);
    else {
      const hint = "write tls with a mode and a credentialName, or mode: PASSTHROUGH";
      find.error("W1104", path, `${path}.tls is missing: ${protocol} needs it`, hint);
    }
  } else if (tls) checkNoTls(tls, protocol, `${path}.tls`, find);
}

/** `host`, or `namespace/host`, where the namespace may be `.` (its own) or `*` (any). */
function checkServerHost(written: string, path: string, find: Finding): void {
  const slash = written.indexOf("/");
  const namespace = slash < 0 ? "*" : written.slice(0, slash);
  const host = written.slice(slash + 1);
  if (namespace !== "*" && namespace !== "." && !isDnsLabel(namespace)) {
    const message = `${path}: "${namespace}" is not a namespace`;
    find.error("W1203", path, message, 'write "namespace/host", "./host" or "*/host"');
  }
  find.host(path, host);
  if (host !== "*" && !host.includes(".")) {
    const message = `${path}: "${host}" is a short name, and a gateway's clients know full names only`;
    find.error("W1203", path, message, "write for example www.example.com");
  }
}

/** A port without TLS of its own may only send clients to the one that has it. */
function checkNoTls(tls: ServerTlsSpec, protocol: string, path: string, find: Finding): void {
  const { httpsRedirect, mode = "PASSTHROUGH", ...rest } = tls;
  const isHttp = plainHttp.includes(protocol);
  if (!isHttp || mode !== "PASSTHROUGH" || Object.keys(rest).length > 0) {
    const hint = isHttp
      ? "only httpsRedirect means something here; write protocol: HTTPS for TLS"
      : "write protocol: TLS";
    find.error("W1106", path, `${path} is for HTTPS and TLS, and the port's protocol is ${protocol}`, hint);
  }
}

/** TLS of a server: of a Gateway, or of a Sidecar's ingress. */
export function checkServerTls(tls: ServerTlsSpec, protocol: string, path: string, find: Finding): void {
  const mode = tls.mode ?? "PASSTHROUGH";
  if (tls.httpsRedirect) {
    const message = `${path}.httpsRedirect is for plain HTTP, and the port's protocol is ${protocol}`;
    find.error("W1106", `${path}.httpsRedirect`, message, "put it on the server of port 80");
  }
  checkVersions(tls, path, find);
  tls.cipherSuites?.forEach((suite, i) => {
    find.word(`${path}.cipherSuites[${i}]`, suite, cipherSuites);
  });
  const digest = (field: "verifyCertificateHash" | "verifyCertificateSpki", form: RegExp, hint: string) =>
    tls[field]?.forEach((value, i) => {
      if (form.test(value)) return;
      find.error("W1105", `${path}.${field}[${i}]`, `${path}.${field}[${i}] is not a SHA-256 digest`, hint);
    });
  digest("verifyCertificateHash", /^([0-9a-f]{64}|([0-9a-f]{2}:){31}[0-9a-f]{2})$/i, "64 hexadecimal digits");
  digest("verifyCertificateSpki", /^[0-9A-Za-z+/]{43}=$/, "44 characters of base64");
  if (tls.insecureSkipVerify && mode !== "MUTUAL" && mode !== "OPTIONAL_MUTUAL") {
    const why =
      mode === "ISTIO_MUTUAL"
        ? "whoever claims to be a member of the mesh would be taken for one"
        : "clients show no certificate";
    const message = `${path}.insecureSkipVerify is for MUTUAL and OPTIONAL_MUTUAL: with ${mode} ${why}`;
    find.error("W1106", `${path}.insecureSkipVerify`, message, "remove it");
  }
  const own = certificateFields(tls);
  switch (mode) {
    case "PASSTHROUGH":
    case "AUTO_PASSTHROUGH":
    case "ISTIO_MUTUAL": {
      const [used] = own;
      if (!used) return;
      const why = mode === "ISTIO_MUTUAL" ? "has the mesh's certificate" : "leaves TLS to the service";
      find.error("W1106", `${path}.${used}`, `mode ${mode} ${why}: ${used} has no use`, `remove ${used}`);
      return;
    }
    default:
      checkCertificates(tls, own, path, find);
      if (mode !== "SIMPLE") checkTrust(tls, mode, path, find);
  }
}

function checkVersions(tls: ServerTlsSpec, path: string, find: Finding): void {
  const order = ["TLSV1_2", "TLSV1_3"];
  const low = order.indexOf(tls.minProtocolVersion ?? "TLS_AUTO");
  const high = order.indexOf(tls.maxProtocolVersion ?? "TLS_AUTO");
  if (low < 0 || high < 0 || low <= high) return;
  find.error("W1106", `${path}.minProtocolVersion`, `${path}: the lowest version is above the highest`);
}

const certificateSources = [
  "credentialName",
  "credentialNames",
  "serverCertificate",
  "tlsCertificates",
] as const;

function certificateFields(tls: ServerTlsSpec): (typeof certificateSources)[number][] {
  return certificateSources.filter((field) => (tls[field]?.length ?? 0) > 0);
}

function checkCertificates(tls: ServerTlsSpec, used: readonly string[], path: string, find: Finding): void {
  if (used.length > 1) {
    find.error(
      "W1106",
      `${path}.${used[1]}`,
      `${path} sets ${used.join(" and ")} at once`,
      "keep one of them",
    );
  }
  if (used.length === 0) {
    find.error("W1104", path, `${path}: mode ${tls.mode} needs a certificate`, "add credentialName: NAME");
  }
  if (tls.serverCertificate && !tls.privateKey) {
    find.error("W1104", path, `${path}.privateKey is missing`, "name the file beside serverCertificate");
  }
  if ((tls.credentialNames?.length ?? 0) > 2 || (tls.tlsCertificates?.length ?? 0) > 2) {
    find.error("W1105", path, `${path}: at most two certificates`, "one RSA and one ECDSA");
  }
  tls.tlsCertificates?.forEach(({ serverCertificate, privateKey }, i) => {
    if (serverCertificate && privateKey) return;
    const at = `${path}.tlsCertificates[${i}]`;
    find.error("W1104", at, `${at} needs serverCertificate and privateKey`);
  });
}

function checkTrust(tls: ServerTlsSpec, mode: string, path: string, find: Finding): void {
  const isBySecret =
    (tls.credentialName ?? tls.credentialNames?.[0] ?? tls.caCertCredentialName) !== undefined;
  if (!isBySecret && !tls.caCertificates) {
    const hint = "add caCertificates, caCertCredentialName, or a credentialName whose Secret has ca.crt";
    find.error("W1104", path, `${path}: mode ${mode} needs something to verify clients with`, hint);
  }
}
