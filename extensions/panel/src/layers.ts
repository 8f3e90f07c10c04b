// The layers of a network as a table: what they hold, how far the last update pulled them, and what they put out.

import { element, mark, write } from "./dom";
import { measure } from "./format";
import { type Histogram, histogram } from "./histogram";

/** One layer, as Python tells it (workbench/networks/inspection.py); null where there is no number. */
export interface Layer {
  name: string;
  shape: number[];
  parameters: number;
  norm: number | null;
  weights: Histogram | null;
  gradient: number | null;
  activation: string | null;
  outputs: Histogram | null;
  idle: number | null;
}

const HEADS = [
  ["Layer", ""],
  ["Weights", "L2 norm and histogram of weights and biases; heights are square roots of counts"],
  ["Gradient", "L2 norm of the newest update's gradient, before it was scaled down"],
  ["Outputs", "Histogram of what the layer puts out for the lanes' observations, behind its activation"],
] as const;

/** Say how much of what a layer puts out lets no gradient through. */
export function remark({ activation, idle }: Layer): string {
  return idle === null ? "" : `${(100 * idle).toFixed(0)} % ${activation === "tanh" ? "saturated" : "dead"}`;
}

/** Build the table. */
export function layers() {
  const body = element("tbody");
  const heads = HEADS.map(([title, explained]) => element("th", { scope: "col", title: explained || false }, title));
  const root = element("table", { class: "wbp-layers" }, element("thead", {}, element("tr", {}, ...heads)), body);
  let rows: ReturnType<typeof row>[] = [];
  let names = "";
  return {
    root,
    show(found: Layer[]): void {
      const now = found.map((layer) => layer.name).join();
      if (now !== names) {
        names = now;
        rows = found.map(row);
        body.replaceChildren(...rows.map((each) => each.root));
      }
      const steepest = Math.max(0, ...found.map((layer) => layer.gradient ?? 0));
      found.forEach((layer, k) => rows[k]!.show(layer, steepest));
    },
  };
}

function row({ name, shape }: Layer) {
  const weights = histogram("Weights");
  const outputs = histogram("Outputs");
  const norm = element("span", { class: "wbp-number" });
  const gradient = element("span", { class: "wbp-number" });
  const bar = element("div", { class: "wbp-share" });
  const after = element("span");
  const note = element("span");
  const size = element("span", { class: "wbp-shape" }, shape.join(" × ") || "1");
  const root = element(
    "tr",
    { "data-testid": `network-layer-${name}` },
    element("th", { scope: "row", title: name }, element("span", { class: "wbp-layer" }, name), size),
    element("td", {}, element("div", { class: "wbp-pair" }, norm, weights.root)),
    element("td", {}, gradient, element("div", { class: "wbp-shares" }, bar)),
    element("td", {}, element("div", { class: "wbp-pair" }, outputs.root, element("div", { class: "wbp-remark" }, after, note))),
  );
  return {
    root,
    show(layer: Layer, steepest: number): void {
      mark(root, "data-norm", String(layer.norm));
      mark(root, "data-gradient", String(layer.gradient));
      mark(root, "data-idle", String(layer.idle));
      write(norm, measure(layer.norm));
      write(gradient, measure(layer.gradient));
      bar.style.width = `${steepest > 0 ? (100 * (layer.gradient ?? 0)) / steepest : 0}%`;
      weights.show(layer.weights);
      outputs.show(layer.outputs);
      write(after, layer.activation ?? "");
      write(note, remark(layer));
      mark(note, "data-tone", layer.idle === 1 ? "bad" : (layer.idle ?? 0) >= 0.5 ? "wait" : null);
    },
  };
}
