import type { ApiErrorBody, HistoryList, HistoryReport } from "@weft/control/api/protocol";
import { useEffect, useReducer, useState } from "preact/hooks";
import type { FeedClient, FeedState } from "./feed-client.ts";
import { type Location, parseLocation } from "./location.ts";

export function useFeed(client: FeedClient): FeedState {
  const [, redraw] = useReducer((count: number, _: undefined) => count + 1, 0);
  useEffect(() => client.subscribe(() => redraw(undefined)), [client]);
  return client.state;
}

/** The time, again every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function useLocation(): Location {
  const [location, setLocation] = useState(() => parseLocation(window.location.hash));
  useEffect(() => {
    const onChange = () => setLocation(parseLocation(window.location.hash));
    window.addEventListener("hashchange", onChange);
    return () => window.removeEventListener("hashchange", onChange);
  }, []);
  return location;
}

export type Loaded<T> =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly why: string }
  | { readonly state: "ready"; readonly value: T };

/** Beside the pages, wherever both are. */
export const apiPath = "../api/v1/";

function whyOf({ error, hint }: ApiErrorBody): string {
  return hint === undefined ? error : `${error}; ${hint}`;
}

/** What the control plane's API answers, asked again every `everyMs`; what was answered before stays until then. */
export function useQuery<T>(path: string | undefined, everyMs = 15_000): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T> & { readonly path?: string }>({ state: "loading" });
  useEffect(() => {
    if (path === undefined) return;
    const gone = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        const response = await fetch(`${apiPath}${path}`, { signal: gone.signal });
        const answer = await response.json();
        if (response.ok) setLoaded({ state: "ready", value: answer, path });
        else setLoaded({ state: "failed", why: whyOf(answer), path });
      } catch {
        if (!gone.signal.aborted)
          setLoaded({ state: "failed", why: "the control plane does not answer", path });
      }
    };
    void ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      gone.abort();
      clearInterval(timer);
    };
  }, [path, everyMs]);
  return loaded.path === path ? loaded : { state: "loading" };
}

/** The last hour of one thing: `mesh`, `service:<namespace>/<name>`. */
export function useHistory(id: string): Loaded<HistoryReport | null> {
  const found = useQuery<HistoryList>(`history?id=${encodeURIComponent(id)}`);
  return found.state === "ready" ? { state: "ready", value: found.value.histories[0] ?? null } : found;
}
