// A recording of the lane that is looked at: a film of its picture with a line beneath, as WebM, made by the browser.

import { element, write } from "../dom";
import { measure, score } from "../format";
import { draw } from "../picture";
import type { Frame } from "./frame";
import { button } from "./controls";
import type { About } from "./model";

const WIDTH = 640; // pixels, about
const LINE = 36;
const HELD = 600; // milliseconds that the last picture stays
const TYPES = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/** Build the button that records until the episode ends, or until it is pressed again. */
export function recorder(about: About, image: HTMLImageElement) {
  const canvas = document.createElement("canvas");
  const said = element("span", { class: "wbs-recorded", role: "status", "data-testid": "scene-recorded" });
  const made = button("record", "record", "Record this lane until its episode ends", () => (film ? end() : begin()), "Record");
  const root = element("div", { class: "wbs-record" }, made.root, said);
  let film: MediaRecorder | null = null;
  let latest: Frame | null = null;
  let lane = 0;
  let length = 0;
  let frames = 0;
  let ending = 0;
  let address = "";

  root.hidden = typeof MediaRecorder === "undefined";

  function paint(frame: Frame): void {
    const { header, figures } = frame;
    const wide = about.picture?.width ?? (image.naturalWidth || 4);
    const high = about.picture?.height ?? (image.naturalHeight || 3);
    const scale = Math.min(WIDTH / wide, WIDTH / high);
    const [width, height] = [2 * Math.round((wide * scale) / 2), 2 * Math.round((high * scale + LINE) / 2)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d")!;
    context.fillStyle = "#16181d";
    context.fillRect(0, 0, width, height);
    if (about.picture) draw(context, about.picture, frame.lanes[header.lane]!, scale);
    else if (image.naturalWidth) context.drawImage(image, 0, 0, width, height - LINE);
    const { length: steps, total, value } = figures[header.lane]!;
    context.fillStyle = "#f1f3f6";
    context.font = "15px system-ui, sans-serif";
    context.textBaseline = "middle";
    const worth = Number.isFinite(value) ? `   value ${measure(value)}` : "";
    context.fillText(`${about.environment}   step ${steps}   return ${score(total)}${worth}${header.hand ? "   by hand" : ""}`, 14, height - LINE / 2, width - 28);
  }

  function begin(): void {
    if (!latest) return;
    paint(latest);
    lane = latest.header.lane;
    length = latest.figures[lane]!.length;
    frames = 1;
    const parts: Blob[] = [];
    const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each))!;
    film = new MediaRecorder(canvas.captureStream(), { mimeType: type, videoBitsPerSecond: 4_000_000 });
    film.ondataavailable = (event) => parts.push(event.data);
    film.onstop = () => finish(new Blob(parts, { type: "video/webm" }));
    film.start();
    const again = film;
    requestAnimationFrame(() => film === again && latest && paint(latest)); // a canvas is captured when it is drawn on
    made.show("stop", "Stop recording", "Stop");
    root.dataset.recording = "true";
    write(said, "recording");
  }

  /** Hold the last picture for a moment, drawing it again and again, and stop. */
  function end(): void {
    if (ending) return;
    ending = performance.now() + HELD;
    const hold = () => {
      if (!film) return;
      if (performance.now() > ending) return film.stop();
      const context = canvas.getContext("2d")!;
      context.drawImage(canvas, 0, 0);
      requestAnimationFrame(hold);
    };
    hold();
  }

  function finish(film_: Blob): void {
    film = null;
    ending = 0;
    delete root.dataset.recording;
    made.show("record", "Record this lane until its episode ends");
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(film_);
    const seed = latest?.header.seed ?? "0";
    const link = element("a", { href: address, download: `${about.environment.replaceAll("/", "-")}-seed-${seed}.webm`, "data-testid": "scene-film" }, `${frames} frames, ${Math.ceil(film_.size / 1024)} kB`);
    said.replaceChildren(link);
    link.click();
  }

  return {
    root,
    show(frame: Frame): void {
      latest = frame;
      if (!film || ending) return;
      const now = frame.figures[lane]?.length ?? -1;
      if (frame.header.mode !== "play" || frame.header.lane !== lane || now < length) return end();
      length = now;
      frames += 1;
      paint(frame);
    },
    destroy(): void {
      if (film) {
        film.onstop = null;
        film.stop();
      }
      if (address) URL.revokeObjectURL(address);
    },
  };
}
