// Colours for the canvases, which cannot read style sheets: taken from the panel's computed style.

export interface Theme {
  text: string;
  grid: string;
  surface: string;
  curve(name: string): string;
}

const UNKNOWN = "#888888"; // Until the panel is on the page it has no style.

const SERIES: Record<string, string> = {
  episode_return: "--wbp-curve-1",
  steps_per_second: "--wbp-curve-2",
  policy_loss: "--wbp-curve-3",
  value_loss: "--wbp-curve-4",
  entropy: "--wbp-curve-5",
  episode_length: "--wbp-curve-1",
  evaluation_return: "--wbp-curve-1",
  kl: "--wbp-curve-3",
  explained_variance: "--wbp-curve-2",
  learning_rate: "--wbp-curve-5",
};

/** Read the theme in force at `root`. */
export function readTheme(root: Element): Theme {
  const style = getComputedStyle(root);
  const colour = (name: string) => style.getPropertyValue(name).trim() || UNKNOWN;
  return {
    text: colour("--wbp-text-3"),
    grid: colour("--wbp-grid"),
    surface: colour("--wbp-surface"),
    curve: (name) => colour(SERIES[name] ?? "--wbp-curve-4"),
  };
}

/** Return what `node` is in, also where that is the host of a shadow tree, as in marimo. */
function around(node: Element): Element | null {
  const root = node.getRootNode();
  return node.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

let pixel: CanvasRenderingContext2D | null = null;

/** Return a colour's red, green, blue and opacity, 0 to 255, however it is written: a page may say oklch(...). */
function painted(colour: string): [number, number, number, number] {
  pixel ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!pixel) return [0, 0, 0, 0];
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  return [...pixel.getImageData(0, 0, 1, 1).data] as [number, number, number, number];
}

/** Tell whether the page around `root` is dark: JupyterLab says so on the body, other hosts by their background. */
export function isDark(root: Element): boolean {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  for (let node = around(root); node; node = around(node)) {
    const [red, green, blue, alpha] = painted(getComputedStyle(node).backgroundColor);
    if (alpha) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call `changed` whenever the page's theme may have changed; return the function that ends it. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name", "class", "data-theme"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  observer.observe(document.documentElement, { attributes: true, attributeFilter });
  const preference = matchMedia("(prefers-color-scheme: dark)");
  preference.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    preference.removeEventListener("change", changed);
  };
}
