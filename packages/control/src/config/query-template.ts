/** What stands for a part of Flagger's query templates. */
export interface TemplateModel {
  /** Of the Canary. */
  readonly name: string;
  readonly namespace: string;
  /** The workloads of the new version: one, or several as alternatives of a regular expression. */
  readonly target: string;
  readonly service: string;
  /** Of the metric, as it is written. */
  readonly interval: string;
  readonly variables: Readonly<Record<string, string>>;
}

const words = ["name", "namespace", "target", "service", "interval"] as const;
const action = /\{\{-?\s*(.*?)\s*-?\}\}/gs;
const ofVariable = /^variables\.([A-Za-z_][A-Za-z0-9_]*)$/;

/** What in a template is none of Flagger's words; undefined where all are. */
export function templateProblem(
  template: string,
  variables?: Readonly<Record<string, string>>,
): string | undefined {
  for (const [whole, inner = ""] of template.matchAll(action)) {
    if ((words as readonly string[]).includes(inner)) continue;
    const [, variable] = ofVariable.exec(inner) ?? [];
    if (variable === undefined) return `${whole} is none of ${words.join(", ")} and variables.NAME`;
    if (variables && variables[variable] === undefined) return `${whole} is none of its templateVariables`;
  }
  return undefined;
}

/** The query of a template that has no problem. */
export function renderQuery(template: string, model: TemplateModel): string {
  return template.replace(action, (whole, inner: string) => {
    const [, variable] = ofVariable.exec(inner) ?? [];
    if (variable !== undefined) return model.variables[variable] ?? "";
    return (words as readonly string[]).includes(inner) ? model[inner as (typeof words)[number]] : whole;
  });
}
