/** Icons in JupyterLab's manner: 24 units wide, coloured by its theme. */

import { LabIcon } from "@jupyterlab/ui-components";

const drawn = (body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">${body}</svg>`;

/** The class colours what has the attribute `stroke`; `fill` stands outside of it, so that it stays empty. */
const strokes = (...paths: string[]): string =>
  `<g fill="none" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${paths
    .map((path) => `<path class="jp-icon3 jp-icon-selectable" stroke="#616161" d="${path}"/>`)
    .join("")}</g>`;

const AXES = "M4 4v16h16";

/** A learning curve. */
export const runsIcon = new LabIcon({
  name: "rl-workbench:runs",
  svgstr: drawn(strokes(AXES, "M7.5 16.5c3.5 0 3.5-3.5 5-6.5s3.5-3.5 7.5-3.5")),
});

/** A curve that begins, and a plus. */
export const experimentIcon = new LabIcon({
  name: "rl-workbench:experiment",
  svgstr: drawn(strokes(AXES, "M7.5 16.5c3 0 3.5-2.6 4.8-5", "M17 4.5v7M13.5 8h7")),
});

/** An open book. */
export const tutorialsIcon = new LabIcon({
  name: "rl-workbench:tutorials",
  svgstr: drawn(
    strokes("M12 7c-2-1.7-4.6-2.2-8-2v13c3.4-.2 6 .3 8 2 2-1.7 4.6-2.2 8-2V5c-3.4-.2-6 .3-8 2z", "M12 7v13"),
  ),
});

export const pauseIcon = new LabIcon({
  name: "rl-workbench:pause",
  svgstr: drawn('<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M6 5h4v14H6zM14 5h4v14h-4z"/>'),
});
