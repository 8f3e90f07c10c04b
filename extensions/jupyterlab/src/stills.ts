/** The picture of an output whose widget died with its kernel: JupyterLab shows words in its place. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Poll } from "@lumino/polling";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const PICTURE = "image/png";
const LOST = ["Error displaying widget: model not found", "Loading widget..."];
const STILL = "rlw-Still";
const INTERVAL = 1000; // milliseconds; hidden windows are not looked at

const waiting = new WeakSet<HTMLElement>();

/** What is used of a notebook's cells, whatever version they are of. */
interface Area {
  readonly widgets: readonly { readonly node: HTMLElement }[];
  readonly model: { readonly length: number; get(place: number): Output };
}
interface Output {
  readonly data: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
}

/** Show the picture that an output carries wherever its widget is lost, and take it away when the widget is back. */
export function keepStills(app: JupyterFrontEnd): Poll {
  return new Poll({
    name: "rl-workbench:stills",
    factory: async () => areas(app).forEach(look),
    frequency: { interval: INTERVAL, backoff: false },
    standby: "when-hidden",
  });
}

/** Return the areas of outputs of all notebooks that are open. */
function areas(app: JupyterFrontEnd): Area[] {
  return [...app.shell.widgets("main")]
    .flatMap((each) => (each as { content?: { widgets?: readonly unknown[] } }).content?.widgets ?? [])
    .flatMap((cell) => (cell as { outputArea?: Area }).outputArea ?? []);
}

function look(area: Area): void {
  area.widgets.forEach(({ node }, place) => {
    const output = node.querySelector<HTMLElement>(".jp-OutputArea-output");
    if (!output || place >= area.model.length) {
      return;
    }
    const still = output.parentElement?.querySelector<HTMLImageElement>(`.${STILL}`) ?? null;
    const { data, metadata } = area.model.get(place);
    const lost = WIDGET in data && typeof data[PICTURE] === "string" && LOST.includes(output.textContent?.trim() ?? "");
    if (lost && !waiting.has(output)) {
      waiting.add(output); // a widget on its way shows the same words for a moment
    } else if (lost && !still) {
      output.after(picture(data[PICTURE] as string, metadata[PICTURE]));
      output.style.display = "none";
    } else if (!lost) {
      waiting.delete(output);
      if (still) {
        still.remove();
        output.style.display = "";
      }
    }
  });
}

function picture(png: string, size: unknown): HTMLImageElement {
  const image = document.createElement("img");
  image.className = STILL;
  image.src = `data:${PICTURE};base64,${png.replace(/\s/g, "")}`;
  image.alt = "The last state; run the cell for the live view";
  image.title = image.alt;
  const { width } = (size ?? {}) as { width?: number };
  if (width) {
    image.width = width;
  }
  return image;
}
