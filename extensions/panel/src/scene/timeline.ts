// The moments that are kept: a slider over them, and the value of each above it.

import { element, mark, write } from "../dom";
import { whole } from "../format";
import type { Frame } from "./frame";
import type { Ask, Header } from "./model";

/** Build the timeline; moving it asks for a moment, one at a time. */
export function timeline(ask: Ask) {
  const canvas = element("canvas", { class: "wbs-trace", "aria-hidden": "true" });
  const slider = element("input", { type: "range", class: "wbp-slider", min: "0", step: "1", "aria-label": "Moment", "data-lm-suppress-shortcuts": "true", "data-testid": "scene-slider" });
  const text = element("span", { class: "wbs-moment", "data-testid": "scene-moment" });
  const root = element("div", { class: "wbs-timeline" }, element("div", { class: "wbs-curve" }, canvas, slider), text);
  let wanted: number | null = null;
  let awaited = false;

  function flush(): void {
    if (wanted === null || awaited) return;
    awaited = true;
    ask({ kind: "look", place: wanted });
    wanted = null;
  }

  slider.addEventListener("input", () => {
    wanted = Number(slider.value);
    fill();
    flush();
  });

  function fill(): void {
    slider.style.setProperty("--wbp-part", `${(100 * Number(slider.value)) / Math.max(1, Number(slider.max))}%`);
  }

  function paint(values: Float32Array, header: Header): void {
    const [wide, high] = [Math.round(canvas.clientWidth * devicePixelRatio), Math.round(canvas.clientHeight * devicePixelRatio)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const context = canvas.getContext("2d")!;
    context.clearRect(0, 0, wide, high);
    const finite = [...values].filter(Number.isFinite);
    if (finite.length < 2) return;
    const [low, high_] = [Math.min(...finite), Math.max(...finite)];
    const inset = 7 * devicePixelRatio; // the slider's thumb stops half its width from the ends
    const x = (k: number) => inset + (k / Math.max(1, values.length - 1)) * (wide - 2 * inset);
    const y = (value: number) => high - 3 * devicePixelRatio - ((value - low) / (high_ - low || 1)) * (high - 6 * devicePixelRatio);
    context.beginPath();
    values.forEach((value, k) => context.lineTo(x(k), y(value)));
    context.lineWidth = 1.5 * devicePixelRatio;
    context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(canvas).color;
    context.stroke();
    const place = ((header.place ?? 0) / Math.max(1, (header.kept ?? 1) - 1)) * (values.length - 1);
    context.beginPath();
    context.arc(x(place), y(values[Math.round(place)]!), 3 * devicePixelRatio, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle;
    context.fill();
  }

  return {
    root,
    show({ header, trace }: Frame): void {
      awaited = false;
      const { place = 0, kept = 1, dropped = 0 } = header;
      slider.max = String(Math.max(1, kept - 1));
      if (wanted === null) slider.value = String(place);
      fill();
      mark(slider, "aria-valuetext", `moment ${dropped + place} of ${dropped + kept - 1}`);
      mark(text, "data-place", String(place));
      mark(text, "data-kept", String(kept));
      write(text, `${whole(dropped + place)} / ${whole(dropped + kept - 1)}`);
      paint(trace, header);
      flush();
    },
  };
}
