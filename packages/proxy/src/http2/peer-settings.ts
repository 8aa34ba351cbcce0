import type { BodySender } from "./body-sender.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { maxFrameBytes, maxWindowBytes, Setting } from "./frames.ts";
import type { SessionControl } from "./session-control.ts";

/**
 * What the peer has said of itself in SETTINGS frames.
 *
 * @see RFC 9113 §6.5.2
 */
export class PeerSettings {
  /** Streams the peer allows at once; no limit until it says. */
  maxStreams = maxWindowBytes;
  /** Whether the peer takes extended CONNECT. @see RFC 8441 §3 */
  allowsConnect = false;
  readonly #writer: FrameWriter;
  readonly #sender: BodySender;
  readonly #control: SessionControl;

  constructor(writer: FrameWriter, sender: BodySender, control: SessionControl) {
    this.#writer = writer;
    this.#sender = sender;
    this.#control = control;
  }

  /** Obeys the settings of a frame whose length is right; false when one broke the session. */
  apply(bytes: Buffer, start: number, end: number): boolean {
    for (let at = start; at < end; at += 6) {
      if (!this.#apply(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))) return false;
    }
    return true;
  }

  #apply(id: number, value: number): boolean {
    switch (id) {
      case Setting.HeaderTableSize:
        this.#writer.setPeerTableSize(value);
        return true;
      case Setting.EnablePush:
        return value <= 1 || this.#violation();
      case Setting.MaxConcurrentStreams:
        this.maxStreams = value;
        return true;
      case Setting.MaxFrameSize:
        // Frames of the smallest maximum are always welcome.
        return (value >= maxFrameBytes && value <= 0xffffff) || this.#violation();
      case Setting.EnableConnectProtocol:
        // It may not be taken back.
        if (value > 1 || (this.allowsConnect && value === 0)) return this.#violation();
        this.allowsConnect = value === 1;
        return true;
      case Setting.InitialWindowSize:
        return this.#sender.resizeStreams(value);
      default:
        return true;
    }
  }

  #violation(): false {
    this.#control.violation();
    return false;
  }
}
