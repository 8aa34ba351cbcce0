const noSharedMemory = "nothing is shared between processes; SIGUSR2 hands over to a new one";
const strict = "a field that would be ignored is always a mistake, and refused by name";
const oneLogger = "the log has no components and one format; use --log-level";
const notEnvoy = "there is no such thing in this proxy";

/** Envoy's flags that are not taken, and why. */
export const refusedProxyFlags: Readonly<Record<string, string>> = {
  "base-id": noSharedMemory,
  "base-id-path": noSharedMemory,
  "use-dynamic-base-id": noSharedMemory,
  "restart-epoch": noSharedMemory,
  "socket-path": noSharedMemory,
  "socket-mode": noSharedMemory,
  "skip-hot-restart-on-no-parent": noSharedMemory,
  "skip-hot-restart-parent-stats": noSharedMemory,
  "hot-restart-version": "ask the admin endpoint /hot_restart_version",
  "parent-shutdown-time-s":
    "a process that was replaced ends when its connections have, and after --drain-time-s at the latest",
  "component-log-level": oneLogger,
  "log-format": oneLogger,
  "log-format-escaped": oneLogger,
  "log-stacktrace-single-entry": oneLogger,
  "enable-fine-grain-logging": oneLogger,
  "skip-deprecated-logs": oneLogger,
  "allow-unknown-fields": strict,
  "allow-unknown-static-fields": strict,
  "ignore-unknown-dynamic-fields": strict,
  "reject-unknown-dynamic-fields": `${strict}: leave it out`,
  "local-address-ip-version": "no address of this host is chosen; leave it out",
  "stats-tag": "statistics have the labels that names and configuration give them",
  "file-flush-interval-msec":
    "access logs are written every second, or when 64 KiB have gathered; leave it out",
  "file-flush-min-size-kb":
    "access logs are written every second, or when 64 KiB have gathered; leave it out",
  "cpuset-threads": "give the number of workers with --concurrency",
  "disable-extensions": "what a bootstrap does not name is not used",
  "enable-mutex-tracing": notEnvoy,
  "enable-core-dump": notEnvoy,
};
