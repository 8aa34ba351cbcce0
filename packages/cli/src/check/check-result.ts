/** What one check found; `next` is what to do about it. */
export interface CheckResult {
  readonly group: "this machine" | "control plane" | "mesh";
  readonly title: string;
  readonly outcome: "ok" | "warning" | "failure";
  readonly detail: string;
  readonly next?: string;
}

type Finding = Pick<CheckResult, "title" | "detail">;

/** Results of one group, written as they are found. */
export class CheckList {
  readonly results: CheckResult[] = [];
  readonly #group: CheckResult["group"];

  constructor(group: CheckResult["group"]) {
    this.#group = group;
  }

  ok(title: string, detail: string): void {
    this.#add({ title, detail }, "ok");
  }

  warning(title: string, detail: string, next: string): void {
    this.#add({ title, detail }, "warning", next);
  }

  failure(title: string, detail: string, next: string): void {
    this.#add({ title, detail }, "failure", next);
  }

  #add(finding: Finding, outcome: CheckResult["outcome"], next?: string): void {
    this.results.push({ group: this.#group, ...finding, outcome, next });
  }
}
