import { useEffect, useRef, useState } from "preact/hooks";

export interface ViewBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const margin = 24;
const widest = 1_240;

/** What part of a picture is seen: all of it at first; the wheel and the keys + and − zoom, dragging moves. */
export function useViewBox(whole: { readonly width: number; readonly height: number }) {
  const [box, setBox] = useState<ViewBox | undefined>();
  const frame = useRef<SVGSVGElement>(null);
  // A small mesh is not blown up: it stands in the middle.
  const width = Math.max(Math.min(widest, window.innerWidth), whole.width + 2 * margin);
  const height = whole.height + 2 * margin;
  const fit: ViewBox = { x: (whole.width - width) / 2, y: -margin, width, height };
  const seen = box ?? fit;
  const now = useRef(seen);
  now.current = seen;
  const zoom = (by: number, atX = 0.5, atY = 0.5) => {
    const { x, y, width, height } = now.current;
    const next = { width: width * by, height: height * by };
    if (next.width > fit.width * 3 || next.width < 120) return;
    setBox({ x: x + (width - next.width) * atX, y: y + (height - next.height) * atY, ...next });
  };
  useEffect(() => {
    const svg = frame.current;
    if (!svg) return;
    const onWheel = (event: WheelEvent) => {
      // As maps do: a plain wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { left, top, width, height } = svg.getBoundingClientRect();
      zoom(
        event.deltaY > 0 ? 1.15 : 1 / 1.15,
        (event.clientX - left) / width,
        (event.clientY - top) / height,
      );
    };
    const onDown = (event: PointerEvent) => {
      if (event.button !== 0) return;
      const from = { x: event.clientX, y: event.clientY, box: now.current };
      const scale = from.box.width / svg.getBoundingClientRect().width;
      const onMove = (move: PointerEvent) => {
        const [dx, dy] = [move.clientX - from.x, move.clientY - from.y];
        if (Math.abs(dx) + Math.abs(dy) < 4) return;
        setBox({ ...from.box, x: from.box.x - dx * scale, y: from.box.y - dy * scale });
      };
      const onUp = () => window.removeEventListener("pointermove", onMove);
      window.addEventListener("pointermove", onMove);
      window.addEventListener("pointerup", onUp, { once: true });
    };
    svg.addEventListener("wheel", onWheel, { passive: false });
    svg.addEventListener("pointerdown", onDown);
    return () => {
      svg.removeEventListener("wheel", onWheel);
      svg.removeEventListener("pointerdown", onDown);
    };
  });
  return { frame, box: seen, zoom, reset: () => setBox(undefined) };
}
