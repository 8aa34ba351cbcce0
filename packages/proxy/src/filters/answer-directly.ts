import type { RawSession } from "../layer/raw-session.ts";
import type { AnswerPlan } from "../listener/listener-plan.ts";
import type { Connection } from "../net/connection.ts";
import type { ConnectionHandler } from "../net/connection-handler.ts";

/** Serves a connection without an upstream, as the plan says. `onOver` comes once. */
export function answerDirectly(plan: AnswerPlan, stream: Connection, onOver: () => void): RawSession {
  const handler = plan.kind === "echo" ? echo(stream, onOver) : ignoring(onOver);
  return {
    start(initial) {
      stream.start(handler, initial);
      if (plan.kind !== "direct-response") return;
      stream.write(plan.body);
      stream.closeGracefully();
    },
    destroy: () => stream.destroy(),
  };
}

function ignoring(onOver: () => void): ConnectionHandler {
  return { onRead() {}, onEnd() {}, onWritable() {}, onClosed: onOver };
}

/** Says what it hears, reading no faster than the client takes it back. */
function echo(stream: Connection, onOver: () => void): ConnectionHandler {
  return {
    onRead(bytes, start, end) {
      stream.write(bytes.subarray(start, end));
      if (!stream.isWritable) stream.pause();
    },
    onEnd: () => stream.closeGracefully(),
    onWritable: () => stream.resume(),
    onClosed: onOver,
  };
}
