import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ControlPlanePage } from "./pages/control-plane-page.tsx";
import { Overview } from "./pages/overview.tsx";
import type { PageProps } from "./pages/page.ts";
import { RequestPage } from "./pages/request-page.tsx";
import { SecurityPage } from "./pages/security-page.tsx";
import { ServicesPage } from "./pages/services-page.tsx";
import { TopologyPage } from "./pages/topology-page.tsx";
import { Empty } from "./panel/panel.tsx";
import type { FeedClient, FeedState } from "./state/feed-client.ts";
import { useFeed, useLocation, useNow } from "./state/hooks.ts";
import { formatLocation, type PageName, pageNames } from "./state/location.ts";
import { formatAge } from "./words/format.ts";

const pages: Readonly<Record<PageName, { readonly title: string; readonly page: ComponentType<PageProps> }>> =
  {
    overview: { title: "Overview", page: Overview },
    topology: { title: "Topology", page: TopologyPage },
    services: { title: "Services", page: ServicesPage },
    security: { title: "Security", page: SecurityPage },
    "control-plane": { title: "Control plane", page: ControlPlanePage },
    request: { title: "Request", page: RequestPage },
  };

export function App({ client }: { readonly client: FeedClient }) {
  const feed = useFeed(client);
  const location = useLocation();
  const { title, page: Page } = pages[location.page];
  useEffect(() => {
    document.title = `${location.about || title} · Weft`;
  }, [location.about, title]);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("content")?.focus()}>
        To the content
      </button>
      <nav class="bar" aria-label="Pages">
        <span class="brand">Weft</span>
        {pageNames.map((name) => (
          <a
            key={name}
            href={formatLocation({ page: name })}
            aria-current={name === location.page ? "page" : undefined}
          >
            {pages[name].title}
          </a>
        ))}
        <Freshness feed={feed} />
        <ThemeButton />
      </nav>
      <main id="content" tabIndex={-1}>
        {location.about === "" && <h1 class="unseen">{title}</h1>}
        {feed.view && feed.view.mesh.leftOut > 0 && (
          <p class="banner" role="status">
            The mesh is larger than what is shown: {feed.view.mesh.leftOut} of its least busy parts are left
            out here. <code>weft stat</code> and <code>weft edges</code> have all of them.
          </p>
        )}
        {feed.view ? <Page view={feed.view} location={location} /> : <Waiting feed={feed} />}
      </main>
    </>
  );
}

const staleMs = 8_000;

/** How old what is shown is: said once a second, and loudly when it is no longer followed. */
function Freshness({ feed }: { readonly feed: FeedState }) {
  const now = useNow();
  const ageMs = now - feed.heardAtMs;
  const isStale = feed.heardAtMs > 0 && (ageMs > staleMs || feed.status !== "live");
  const word = feed.status === "live" ? (isStale ? "nothing heard" : "live") : feed.status;
  return (
    <span
      class={`freshness ${isStale || feed.status === "logged out" ? "stale" : feed.status}`}
      role="status"
    >
      <i aria-hidden="true" />
      {word}
      {feed.heardAtMs > 0 && <small> data {formatAge(Math.max(0, ageMs))} old</small>}
    </span>
  );
}

function Waiting({ feed }: { readonly feed: FeedState }) {
  switch (feed.status) {
    case "logged out":
      return (
        <Empty
          why="This browser is not logged in, or no longer."
          todo={
            <>
              Run <code>weft dashboard</code> on the control plane's machine: it opens an address that works
              once.
            </>
          }
        />
      );
    case "full":
      return (
        <Empty
          why="Too many people are watching already."
          todo="Close a window elsewhere; this one tries again by itself."
        />
      );
    case "away":
      return (
        <Empty
          why="The control plane does not answer."
          todo={
            <>
              This page tries again by itself. <code>weft check</code> finds out what is wrong.
            </>
          }
        />
      );
    default:
      return <p class="note">Reading the mesh…</p>;
  }
}

type Theme = "system" | "light" | "dark";
const nextTheme: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(
    () => (localStorage.getItem("theme") as Theme | null) ?? "system",
  );
  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return (
    <button
      type="button"
      class="theme"
      onClick={() => setTheme(nextTheme[theme])}
      aria-label={`Colours: ${theme}`}
    >
      {{ system: "◐ system", light: "○ light", dark: "● dark" }[theme]}
    </button>
  );
}
