// The icons of the controls, on a grid of 16.

const SPACE = "http://www.w3.org/2000/svg";

const SHAPES = {
  play: "M4.5 2.8v10.4a.6.6 0 0 0 .92.5l8-5.2a.6.6 0 0 0 0-1l-8-5.2a.6.6 0 0 0-.92.5Z",
  pause: "M4 2.5h2.6v11H4zM9.4 2.5H12v11H9.4z",
  step: "M3 2.9v10.2a.5.5 0 0 0 .78.42l7.4-5.1a.5.5 0 0 0 0-.84l-7.4-5.1A.5.5 0 0 0 3 2.9ZM11.8 2.5h1.7v11h-1.7z",
  back: "M13 2.9v10.2a.5.5 0 0 1-.78.42l-7.4-5.1a.5.5 0 0 1 0-.84l7.4-5.1A.5.5 0 0 1 13 2.9ZM4.2 2.5H2.5v11h1.7z",
  restart: "M8 2.5a5.5 5.5 0 1 0 5.4 6.6h-1.7A3.9 3.9 0 1 1 8 4.1c1 0 1.9.4 2.6 1L8.9 6.8h4.6V2.2l-1.7 1.7A5.5 5.5 0 0 0 8 2.5Z",
  record: "M8 3.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6Z",
  stop: "M3.5 4.3a.8.8 0 0 1 .8-.8h7.4a.8.8 0 0 1 .8.8v7.4a.8.8 0 0 1-.8.8H4.3a.8.8 0 0 1-.8-.8z",
  branch: "M4.2 2.2v5.1c0 2.4 1.6 3.6 3.9 3.6h1.6v2.3l4-3.2-4-3.2v2.3H8.1c-1.4 0-2-.6-2-1.9V2.2z",
};

export type Icon = keyof typeof SHAPES;

/** Draw an icon into `target`, unless it is there already. */
export function icon(target: Element, shape: Icon): void {
  if (target.getAttribute("data-icon") === shape) return;
  target.setAttribute("data-icon", shape);
  const drawing = document.createElementNS(SPACE, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SPACE, "path");
  path.setAttribute("d", SHAPES[shape]);
  drawing.append(path);
  target.replaceChildren(drawing);
}
