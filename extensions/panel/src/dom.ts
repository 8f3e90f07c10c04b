// Small helpers over the DOM.

type Child = Node | string;

/** Make an element with attributes and children; an attribute set to `false` is left out. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string | false> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Make a name no other view has; crypto.randomUUID is missing on pages served without encryption. */
export function unique(): string {
  return `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}

/** Set the text only where it differs, so that a selection in the panel survives ten updates a second. */
export function write(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Set or remove an attribute only where it differs. */
export function mark(target: Element, name: string, value: string | null): void {
  if (target.getAttribute(name) === value) return;
  if (value === null) target.removeAttribute(name);
  else target.setAttribute(name, value);
}

const SHAPES = {
  start: "M4.5 2.8v10.4a.6.6 0 0 0 .92.5l8-5.2a.6.6 0 0 0 0-1l-8-5.2a.6.6 0 0 0-.92.5Z",
  pause: "M4 2.5h2.6v11H4zM9.4 2.5H12v11H9.4z",
  step: "M3.5 2.8v10.4a.6.6 0 0 0 .92.5l6.6-5.2a.6.6 0 0 0 0-1L4.42 2.3a.6.6 0 0 0-.92.5ZM11.6 2.5h1.9v11h-1.9z",
  save: "M3.2 2h7.6L14 5.2v7.6a1.2 1.2 0 0 1-1.2 1.2H3.2A1.2 1.2 0 0 1 2 12.8V3.2A1.2 1.2 0 0 1 3.2 2Zm1.3 1.3v3h5.4v-3zM8 8.1a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4Z",
  stop: "M3.5 4.3a.8.8 0 0 1 .8-.8h7.4a.8.8 0 0 1 .8.8v7.4a.8.8 0 0 1-.8.8H4.3a.8.8 0 0 1-.8-.8z",
};

/** Draw one of the panel's icons into `target`, in the colour of its text. */
export function icon(target: Element, shape: keyof typeof SHAPES): void {
  if (target.getAttribute("data-icon") === shape) return;
  target.setAttribute("data-icon", shape);
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SHAPES[shape]);
  drawing.append(path);
  target.replaceChildren(drawing);
}
