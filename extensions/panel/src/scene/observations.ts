// An observation as small bars: one a component with its number while there are few, a strip of them when there are many.

import { element, mark, write } from "../dom";
import { measure, whole } from "../format";

const FEW = 12;

/** Build the bars; each is scaled by the largest number that was seen in it. */
export function observations(names: string[]) {
  const root = element("div", { class: "wbs-rows", "data-testid": "scene-observation" });
  let largest: number[] = [];
  let signed = false;

  function rebuild(count: number): void {
    largest = new Array<number>(count).fill(0);
    signed = false;
    if (count > FEW) {
      root.replaceChildren(element("canvas", { class: "wbs-strip" }), element("span", { class: "wbs-name" }));
      return;
    }
    root.replaceChildren(
      ...largest.map((_, k) => {
        const name = names[k] ?? String(k);
        const track = element("span", { class: "wbs-track wbs-middle", "aria-hidden": "true" }, element("span", { class: "wbs-bar" }));
        return element("div", { class: "wbs-row", "data-kind": "observation" }, element("span", { class: "wbs-name", title: name }, name), track, element("span", { class: "wbs-number" }));
      }),
    );
  }

  function few(values: Float32Array): void {
    values.forEach((value, k) => {
      const each = root.children[k]!;
      const half = 50 * Math.min(1, Math.abs(value) / (largest[k] || 1));
      const bar = each.children[1]!.firstElementChild as HTMLElement;
      bar.style.width = `${half.toFixed(2)}%`;
      bar.style.left = `${(value < 0 ? 50 - half : 50).toFixed(2)}%`;
      mark(each, "data-value", String(value));
      write(each.lastElementChild!, measure(value));
    });
  }

  function many(values: Float32Array): void {
    const canvas = root.firstElementChild as HTMLCanvasElement;
    const [wide, high] = [Math.round(canvas.clientWidth * devicePixelRatio), Math.round(canvas.clientHeight * devicePixelRatio)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const context = canvas.getContext("2d")!;
    context.clearRect(0, 0, wide, high);
    context.fillStyle = getComputedStyle(canvas).color;
    const top = Math.max(...largest, 1e-9);
    const step = wide / values.length;
    const base = signed ? high / 2 : high;
    values.forEach((value, k) => {
      const size = base * Math.min(1, Math.abs(value) / top);
      context.fillRect(k * step, value < 0 ? base : base - size, Math.max(1, step - 0.5), size);
    });
    const busy = values.reduce((sum, value) => sum + Number(value !== 0), 0);
    write(root.lastElementChild!, `${whole(values.length)} components, ${whole(busy)} not zero`);
  }

  return {
    root,
    show(values: Float32Array): void {
      if (values.length !== largest.length) rebuild(values.length);
      signed ||= values.some((value) => value < 0);
      values.forEach((value, k) => (largest[k] = Math.max(largest[k]!, Math.abs(value))));
      (values.length > FEW ? many : few)(values);
    },
  };
}
