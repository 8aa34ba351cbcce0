/** Where one is: a page, what it is about, and how it is looked at. All of it is in the address. */
export interface Location {
  readonly page: PageName;
  /** What the page is about, e.g. `default/reviews`; "" for none. */
  readonly about: string;
  readonly options: Readonly<Record<string, string>>;
}

export const pageNames = [
  "overview",
  "topology",
  "services",
  "security",
  "control-plane",
  "request",
] as const;
export type PageName = (typeof pageNames)[number];

/** Reads the part of an address behind `#`; what it does not know is the overview. */
export function parseLocation(hash: string): Location {
  const [path = "", search = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [first = "", ...rest] = path.split("/");
  const page = pageNames.find((name) => name === first) ?? "overview";
  return {
    page,
    about: page === first ? rest.map(decoded).join("/") : "",
    options: Object.fromEntries(new URLSearchParams(search)),
  };
}

/** The address of a place; options without value are left out. */
export function formatLocation({ page, about = "", options = {} }: Partial<Location>): string {
  const path = about === "" ? "" : `/${about.split("/").map(encodeURIComponent).join("/")}`;
  const search = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== "")).toString();
  return `#/${page ?? "overview"}${path}${search && `?${search}`}`;
}

export function serviceLink(id: string): string {
  return formatLocation({ page: "services", about: id });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
