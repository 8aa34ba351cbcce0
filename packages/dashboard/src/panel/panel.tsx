import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

export interface Elsewhere {
  /** Commands that print the same. */
  readonly cli: string;
  /** Absent where Prometheus does not have it. */
  readonly promql?: string;
}

export interface PanelProps extends Elsewhere {
  readonly title: string;
  /** A word about what is shown, beside the title. */
  readonly note?: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** One thing to look at, with the command and the query that give the same. */
export function Panel({ title, note, children, cli, promql, class: extra = "" }: PanelProps) {
  return (
    <section class={`panel ${extra}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note && <span class="note">{note}</span>}
        <details class="elsewhere">
          <summary aria-label={`CLI · PromQL: ${title}, by command and query`}>CLI · PromQL</summary>
          <div class="elsewhere-card">
            <Copied label="On the command line" text={cli} />
            {promql ? (
              <Copied label="In Prometheus" text={promql} />
            ) : (
              <p class="note">Prometheus does not have this: the control plane alone knows it.</p>
            )}
          </div>
        </details>
      </header>
      {children}
    </section>
  );
}

function Copied({ label, text }: { readonly label: string; readonly text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard?.writeText(text).then(
      () => setCopied(true),
      () => {},
    );
  return (
    <div class="copied">
      <div class="copied-head">
        <span>{label}</span>
        <button type="button" onClick={copy} aria-label={`Copy: ${text}`}>
          {isCopied ? "copied" : "copy"}
        </button>
      </div>
      <code>{text}</code>
    </div>
  );
}

/** Nothing to show: why, and what to do. */
export function Empty({ why, todo }: { readonly why: string; readonly todo?: ComponentChildren }) {
  return (
    <div class="empty">
      <p>{why}</p>
      {todo && <p class="todo">{todo}</p>}
    </div>
  );
}

export interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: "bad" | "warn" | undefined;
}

export function Tiles({ tiles }: { readonly tiles: readonly TileProps[] }) {
  return (
    <dl class="tiles">
      {tiles.map(({ label, value, note, tone = "" }) => (
        <div class={`tile ${tone}`} key={label}>
          <dt>{label}</dt>
          <dd>
            {value}
            {note && <small>{note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
