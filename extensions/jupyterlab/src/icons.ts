/** Icons in JupyterLab's manner: 24 units wide, coloured by its theme. */

import { LabIcon } from "@jupyterlab/ui-components";

const drawn = (body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">${body}</svg>`;

/** `fill` stands outside of the theme's class, which would colour it: the shapes stay empty. */
const strokes = (look: string, ...paths: string[]): string =>
  `<g fill="none" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${paths
    .map((path) => `<path ${look} d="${path}"/>`)
    .join("")}</g>`;

const THEMED = 'class="jp-icon3 jp-icon-selectable" stroke="#616161"';
/** The launcher's tiles have colours of their own, which stand on light and dark. */
const BLUE = 'stroke="#4f7be0"';
const AXES = "M4 4v16h16";
const CURVE = "M7.5 16.5c3.5 0 3.5-3.5 5-6.5s3.5-3.5 7.5-3.5";

/** A learning curve. */
export const runsIcon = new LabIcon({ name: "rl-workbench:runs", svgstr: drawn(strokes(THEMED, AXES, CURVE)) });

export const experimentIcon = new LabIcon({
  name: "rl-workbench:experiment",
  svgstr: drawn(strokes(THEMED, AXES) + strokes(BLUE, CURVE)),
});

/** An open book. */
export const tutorialsIcon = new LabIcon({
  name: "rl-workbench:tutorials",
  svgstr: drawn(
    strokes(BLUE, "M12 7c-2-1.7-4.6-2.2-8-2v13c3.4-.2 6 .3 8 2 2-1.7 4.6-2.2 8-2V5c-3.4-.2-6 .3-8 2zM12 7v13"),
  ),
});

/** A table above two curves. */
export const dashboardIcon = new LabIcon({
  name: "rl-workbench:dashboard",
  svgstr: drawn(strokes(THEMED, "M4 4h16v16H4zM4 11h16M12 11v9")),
});

export const pauseIcon = new LabIcon({
  name: "rl-workbench:pause",
  svgstr: drawn('<path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M6 5h4v14H6zM14 5h4v14h-4z"/>'),
});
