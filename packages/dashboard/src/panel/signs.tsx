import { type Severity, severityNames } from "../words/troubles.ts";

const shapes: Readonly<Record<Severity, string>> = {
  good: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Z",
  idle: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
  warn: "M8 1.5 15 14H1Z",
  bad: "M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5Z",
};

/** How something is, by shape as well as by colour. */
export function Sign({ severity }: { readonly severity: Severity }) {
  return (
    <svg class={`sign ${severity}`} viewBox="0 0 16 16" role="img" aria-label={severityNames[severity]}>
      <path d={shapes[severity]} />
    </svg>
  );
}

const closed = "M4.5 7V5a3.5 3.5 0 0 1 7 0v2h1v7h-9V7Zm1.5 0h4V5a2 2 0 0 0-4 0Z";
const open = "M4.5 7V4.5a3.5 3.5 0 0 1 6.9-.8l-1.5.4A2 2 0 0 0 6 4.5V7h6.500v7h-9V7Z";

/** The padlock of a path: closed, or open where some or all of it is in plaintext. */
export const padlockPath = (isSecured: boolean): string => (isSecured ? closed : open);

export function Padlock({ securedRate }: { readonly securedRate: number | undefined }) {
  if (securedRate === undefined) return <span class="note">–</span>;
  const isSecured = securedRate > 0.999;
  const label = isSecured ? "mutual TLS" : securedRate > 0 ? "partly in plaintext" : "plaintext";
  return (
    <span class={isSecured ? "padlock secured" : "padlock open"}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={padlockPath(isSecured)} />
      </svg>
      {label}
    </span>
  );
}
