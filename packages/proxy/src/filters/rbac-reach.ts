import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { RbacPermission, RbacPrincipal } from "./rbac-plan.ts";

/** A test of what does not change while a connection lives: its ends, their names and certificates. */
export type ConnectionTest = (connection: DownstreamConnection) => boolean;

/**
 * What a connection alone says of a condition: `can` is false where no request
 * on it can meet the condition, `must` is true where every request does.
 */
interface Reach {
  readonly can: ConnectionTest;
  readonly must: ConnectionTest;
}

const yes: ConnectionTest = () => true;
const no: ConnectionTest = () => false;

type Condition = RbacPermission | RbacPrincipal;

/** @param compile makes the test of a condition on nothing but the connection */
function reachOf(condition: Condition, compile: (condition: Condition) => ConnectionTest): Reach {
  switch (condition.kind) {
    case "any":
      return { can: yes, must: yes };
    case "and": {
      const parts = condition.rules.map((rule) => reachOf(rule, compile));
      return { can: every(parts.map(({ can }) => can)), must: every(parts.map(({ must }) => must)) };
    }
    case "or": {
      const parts = condition.rules.map((rule) => reachOf(rule, compile));
      return { can: some(parts.map(({ can }) => can)), must: some(parts.map(({ must }) => must)) };
    }
    case "not": {
      const { can, must } = reachOf(condition.rule, compile);
      return { can: negated(must), must: negated(can) };
    }
    case "destination-ip":
    case "destination-port":
    case "destination-port-range":
    case "requested-server-name":
    case "authenticated":
    case "direct-remote-ip": {
      const test = compile(condition);
      return { can: test, must: test };
    }
    case "header":
    case "url-path":
    case "metadata":
    case "remote-ip":
      return { can: yes, must: no };
  }
}

/** Whether any of several conditions can be met on a connection. */
export function canMeetAny(
  conditions: readonly Condition[],
  compile: (condition: Condition) => ConnectionTest,
): ConnectionTest {
  return some(conditions.map((condition) => reachOf(condition, compile).can));
}

function negated(test: ConnectionTest): ConnectionTest {
  if (test === yes) return no;
  if (test === no) return yes;
  return (connection) => !test(connection);
}

function every(tests: readonly ConnectionTest[]): ConnectionTest {
  if (tests.includes(no)) return no;
  const open = tests.filter((test) => test !== yes);
  if (open.length === 0) return yes;
  return open.length === 1 ? open[0]! : (connection) => open.every((test) => test(connection));
}

function some(tests: readonly ConnectionTest[]): ConnectionTest {
  if (tests.includes(yes)) return yes;
  const open = tests.filter((test) => test !== no);
  if (open.length === 0) return no;
  return open.length === 1 ? open[0]! : (connection) => open.some((test) => test(connection));
}
