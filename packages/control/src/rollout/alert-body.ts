import type { RolloutAlert, RolloutEvent } from "../api/rollout-protocol.ts";
import { hookName } from "./questions.ts";
import type { Rollout } from "./rollout.ts";
import { callsText } from "./rollout-status.ts";

const severities = ["info", "warn", "error"] as const;
type Severity = (typeof severities)[number];

/** What people are told of, and how grave it is; all else is for those who look. */
const graveOf: Readonly<Partial<Record<RolloutEvent["kind"], Severity>>> = {
  started: "info",
  promoted: "info",
  waiting: "warn",
  webhook: "warn",
  aborted: "warn",
  undone: "warn",
  "rolling back": "error",
  "rolled back": "error",
};

/** Whether an alert is sent of an event: it is as grave as that, and no webhook that mutes alerts is waited for. */
export function isAlerted(
  { plan, waitingFor }: Rollout,
  { kind }: Pick<RolloutEvent, "kind">,
  { severity }: Pick<RolloutAlert, "severity">,
): boolean {
  const grave = graveOf[kind];
  if (grave === undefined || severities.indexOf(grave) < severities.indexOf(severity)) return false;
  if (kind !== "waiting" || waitingFor === undefined) return true;
  return !plan.webhooks?.some((hook) => hook.isMuted && hookName(hook) === waitingFor.webhook);
}

/** What a chat is posted, in the form it takes. */
export function alertBody(
  { plan }: Rollout,
  { kind, message, weight, canary, stable }: RolloutEvent,
  { type, url, channel, username }: RolloutAlert,
): { readonly url: string; readonly text: string } {
  const isError = graveOf[kind] === "error";
  const title = `${plan.service}.${plan.namespace}`;
  const facts: (readonly [name: string, value: string])[] = [
    ["Versions", `${plan.stable.version} → ${plan.canary.version}`],
    ["Weight", `${weight} %`],
    ...(canary && stable
      ? [[plan.canary.version, callsText(canary)] as const, [plan.stable.version, callsText(stable)] as const]
      : []),
  ];
  if (type === "msteams") {
    const card = {
      "@type": "MessageCard",
      "@context": "http://schema.org/extensions",
      themeColor: isError ? "FF0000" : "0076D7",
      summary: title,
      sections: [
        {
          activityTitle: message,
          activitySubtitle: title,
          facts: facts.map(([name, value]) => ({ name, value })),
        },
      ],
    };
    return { url, text: JSON.stringify(card) };
  }
  const post = {
    channel: channel ?? "general",
    username: username ?? "weft",
    icon_emoji: ":rocket:",
    attachments: [
      {
        color: isError ? "danger" : "good",
        author_name: title,
        text: message,
        mrkdwn_in: ["text"],
        fields: facts.map(([name, value]) => ({ title: name, value, short: false })),
      },
    ],
  };
  return { url: type === "discord" ? slackUrlOf(url) : url, text: JSON.stringify(post) };
}

/** Discord takes Slack's form there. */
function slackUrlOf(url: string): string {
  const target = new URL(url);
  if (!target.pathname.endsWith("/slack")) target.pathname = `${target.pathname.replace(/\/$/, "")}/slack`;
  return target.href;
}
