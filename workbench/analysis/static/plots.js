// Show bokeh figures in the colours of the page around them, with chips that hide and show groups.
// Python puts BokehJS in the place of the comment below, so that nothing is fetched.

const VERSION = Symbol.for("rl-workbench.bokeh.BOKEH_VERSION");

function load() {
  const holder = {};
  (function () {
    /* BOKEH */
  }).call(holder); // Another BokehJS of the page stays what it is.
  holder.Bokeh.set_log_level("warn");
  return holder.Bokeh;
}

function bokeh() {
  return (globalThis[VERSION] ??= load());
}

/** Return what `node` is in, also where that is the host of a shadow tree, as in marimo. */
function around(node) {
  return node.parentElement ?? node.getRootNode().host ?? null;
}

let pixel = null;

/** Return a colour's red, green, blue and opacity, 0 to 255, however it is written: a page may say oklch(...). */
function painted(colour) {
  pixel ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  return pixel.getImageData(0, 0, 1, 1).data;
}

/** Tell whether the page around `root` is dark: JupyterLab says so on the body, other hosts by their background. */
function isDark(root) {
  const light = document.body.dataset.jpThemeLight;
  if (light !== undefined) return light === "false";
  for (let node = around(root); node; node = around(node)) {
    const [red, green, blue, alpha] = painted(getComputedStyle(node).backgroundColor);
    if (alpha) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function watchTheme(changed) {
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

function element(name, className, parent, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** Show `page` in `root`; return the function that ends it. */
export function show(page, root) {
  root.classList.add("wbc");
  root.dataset.testid = page.kind;
  const hidden = new Set();
  let dark;
  let views = [];
  let drawn;

  const header = element("div", "wbc-header", root);
  element("div", "wbc-title", header, page.title);
  element("div", "wbc-subtitle", header, page.subtitle);
  const chips = element("div", "wbc-chips", root);
  for (const group of page.groups) {
    const chip = element("button", "wbc-chip", chips);
    chip.type = "button";
    chip.style.setProperty("--light", group.light);
    chip.style.setProperty("--dark", group.dark);
    chip.setAttribute("aria-pressed", "true");
    chip.title = `Hide or show ${group.label}`;
    element("span", "wbc-swatch", chip);
    element("span", "", chip, group.label);
    chip.addEventListener("click", () => {
      const showing = hidden.delete(group.label);
      if (!showing) hidden.add(group.label);
      chip.setAttribute("aria-pressed", String(showing));
      hide();
    });
  }
  const grid = element("div", "wbc-grid", root);
  const more = element("div", "wbc-more", root);
  more.innerHTML = page.html; // written by Python, which escapes what comes from runs

  function hide() {
    for (const { label, ids } of page.groups)
      for (const id of ids) drawn.get_model_by_id(id).visible = !hidden.has(label);
  }

  function clear() {
    for (const view of views) view.remove();
    views = [];
    grid.replaceChildren();
  }

  async function draw() {
    const wanted = isDark(root);
    if (wanted === dark) return;
    dark = wanted;
    root.dataset.dark = String(dark);
    const text = dark ? page.document.replace(/#[0-9a-f]{6}/g, (colour) => page.dark[colour] ?? colour) : page.document;
    clear();
    const roots = Object.fromEntries(
      page.roots.map(({ id, wide }) => [id, element("div", wide ? "wbc-cell wbc-wide" : "wbc-cell", grid)]),
    );
    const item = { docid: "plots", root_ids: Object.keys(roots), roots };
    const [manager] = await bokeh().embed.embed_items({ plots: JSON.parse(text) }, [item]);
    views = [...manager.roots];
    drawn = views[0].model.document;
    hide();
    root.dataset.drawn = String(page.roots.length);
  }

  draw();
  const unwatch = watchTheme(() => draw());
  return () => {
    unwatch();
    clear();
  };
}

export default { render: ({ model, el }) => show(model.get("page"), el) };
