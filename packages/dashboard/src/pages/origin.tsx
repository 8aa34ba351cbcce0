/** Where something was written: file, line and column. */
export function Origin({ origin }: { readonly origin: string | undefined }) {
  if (!origin) return <span class="note">–</span>;
  return (
    <code class="origin" title={origin}>
      {shortOrigin(origin)}
    </code>
  );
}

/** Without the folders. */
export function shortOrigin(origin: string): string {
  const [, file = origin, place = ""] = /^(.*?)((?::\d+)*)$/.exec(origin) ?? [];
  return `${file.slice(file.lastIndexOf("/") + 1)}${place}`;
}
