// The lanes: one large, which is looked at closely, and all of them small, to choose from.

import { element, mark, write } from "../dom";
import { score } from "../format";
import { draw } from "../picture";
import type { Frame } from "./frame";
import type { About, Ask } from "./model";

/** Returns are often whole. */
const brief = (value: number) => (Number.isInteger(value) ? String(value).replace("-", "−") : score(value));
const TALLEST = 380; // of the large picture, in the page's pixels

/** Build the stage. `box` is what takes the keys. */
export function stage(about: About, ask: Ask) {
  const canvas = element("canvas", { class: "wbs-canvas", "data-testid": "scene-canvas" });
  const image = element("img", { class: "wbs-canvas", alt: `${about.environment}, drawn by itself` });
  const plain = element("p", { class: "wbs-plain" }, about.reason ?? "Play shows the pictures that the environment draws of itself.");
  const box = element("div", { class: "wbs-stage", tabindex: "0", role: "application", "data-lm-suppress-shortcuts": "true", "data-testid": "scene-stage" }, canvas, image, plain);
  const caption = element("div", { class: "wbs-caption", "data-testid": "scene-caption" });
  const small = element("div", { class: "wbs-lanes", role: "group", "aria-label": "Lanes" });
  const root = element("div", { class: "wbs-left" }, box, caption, small);
  image.hidden = true;
  plain.hidden = about.picture !== null;
  const tiles: HTMLButtonElement[] = [];
  let address = "";

  function tile(k: number): HTMLButtonElement {
    const inner = element("canvas", { class: "wbs-canvas" });
    const made = element("button", { type: "button", class: "wbs-tile", "data-lm-suppress-shortcuts": "true", "data-testid": `scene-lane-${k}` }, inner, element("span", { class: "wbs-score" }));
    made.addEventListener("click", () => ask({ kind: "select", lane: k }));
    return made;
  }

  function count(lanes: number): void {
    while (tiles.length < lanes) {
      const made = tile(tiles.length);
      tiles.push(made);
      small.append(made);
    }
    while (tiles.length > lanes) tiles.pop()!.remove();
    small.hidden = lanes < 2;
    small.style.setProperty("--wbs-columns", String(columns(lanes, about)));
  }

  function film(frame: Frame): void {
    image.hidden = frame.picture === null;
    if (!frame.picture) return;
    const before = address;
    const { buffer, byteOffset, byteLength } = frame.picture;
    address = URL.createObjectURL(new Blob([new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)], { type: "image/jpeg" }));
    image.src = address;
    if (before) URL.revokeObjectURL(before);
  }

  function show(frame: Frame): void {
    const { header, lanes, figures } = frame;
    const { picture } = about;
    count(lanes.length);
    canvas.hidden = picture === null;
    plain.hidden = picture !== null || frame.picture !== null;
    film(frame);
    const [wide, narrow] = [box.clientWidth, tiles[0]?.clientWidth ?? 0]; // Read before anything is written: one layout.
    if (picture) paint(canvas, picture, lanes[header.lane]!, Math.min(wide, (TALLEST * picture.width) / picture.height));
    tiles.forEach((each, k) => {
      const inner = each.firstElementChild as HTMLCanvasElement;
      inner.hidden = picture === null;
      if (picture) paint(inner, picture, lanes[k]!, narrow - 4);
      const { total, length } = figures[k]!;
      write(each.lastElementChild!, brief(total));
      mark(each, "aria-pressed", String(k === header.lane));
      mark(each, "aria-label", `Lane ${k}, step ${length}, return ${brief(total)}`);
    });
    const { total, length, before } = figures[header.lane]!;
    const past = Number.isFinite(before) ? ` · last episode ${brief(before)}` : "";
    write(caption, `Lane ${header.lane} · step ${length} · return ${brief(total)}${past}`);
  }

  return { root, box, canvas, image, show, destroy: () => URL.revokeObjectURL(address) };
}

/** Wide pictures stand four in a row, others eight; many are smaller. */
function columns(lanes: number, { picture }: About): number {
  const wide = picture !== null && picture.width > 1.6 * picture.height;
  return wide ? Math.min(lanes <= 8 ? 4 : 8, Math.max(3, lanes)) : lanes <= 16 ? 8 : 16;
}

function paint(canvas: HTMLCanvasElement, picture: NonNullable<About["picture"]>, lane: Frame["lanes"][number], width: number): void {
  if (width <= 0) return; // not laid out
  const scale = (width * devicePixelRatio) / picture.width;
  const [wide, high] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
  }
  draw(canvas.getContext("2d")!, picture, lane, scale);
}
