/** What can be done, from the palette, the launcher, the side panel and the status bar. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, showErrorMessage } from "@jupyterlab/apputils";
import type { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import type { ILauncher } from "@jupyterlab/launcher";
import { refreshIcon } from "@jupyterlab/ui-components";
import { experimentIcon, runsIcon, tutorialsIcon } from "./icons";
import type { Runs } from "./model";
import type { Notebooks } from "./notebooks";
import type { Server } from "./server";

export const CATEGORY = "RL Workbench";
export const PANEL = "rl-workbench-runs";

export const Command = {
  experiment: "rl-workbench:new-experiment",
  tutorials: "rl-workbench:tutorials",
  dashboard: "rl-workbench:dashboard",
  steer: "rl-workbench:steer",
  pause: "rl-workbench:pause",
  stop: "rl-workbench:stop",
  continueRun: "rl-workbench:continue-run",
  showRuns: "rl-workbench:show-runs",
  refresh: "rl-workbench:refresh-runs",
  openNotebook: "rl-workbench:open-notebook",
  showFolder: "rl-workbench:show-folder",
} as const;

/** What JupyterLab says of a notebook that it opened. */
interface Opened {
  context: { ready: Promise<void>; sessionContext: { ready: Promise<void> } };
}

export interface Parts {
  app: JupyterFrontEnd;
  server: Server;
  runs: Runs;
  notebooks: Notebooks;
  browser: IDefaultFileBrowser | null;
}

export function addCommands({ app, runs, notebooks, browser }: Parts): void {
  const { commands } = app;
  const here = (args: { cwd?: unknown }): string =>
    typeof args.cwd === "string" ? args.cwd : (browser?.model.path ?? "");
  const open = (path: string) => commands.execute("docmanager:open", { path });
  const opened = async (made: Promise<unknown>): Promise<void> => {
    try {
      await made;
    } catch (error) {
      await showErrorMessage("The notebook could not be made", error instanceof Error ? error : String(error));
    }
  };

  const openDashboard = async (): Promise<void> => {
    const { path, ours } = await notebooks.dashboard(runs.runs[0]?.path ?? "");
    const known = await app.serviceManager.sessions.findByPath(path);
    const widget = (await open(path)) as Opened | undefined;
    if (ours && !known && widget) {
      await widget.context.ready;
      await widget.context.sessionContext.ready;
      await commands.execute("notebook:run-all-cells");
    }
  };

  commands.addCommand(Command.experiment, {
    label: (args) => (args.isPalette ? "New RL Experiment" : "New experiment"),
    caption: "A notebook that trains an agent, ready to run",
    icon: (args) => (args.isPalette ? undefined : experimentIcon),
    execute: (args) => opened(notebooks.fromTemplate("experiment", here(args)).then(open)),
  });
  commands.addCommand(Command.tutorials, {
    label: (args) => (args.isPalette ? "Open the RL Workbench Tutorials" : "Tutorials"),
    caption: "The tutorials as notebooks of your own, in a folder beside your work",
    icon: (args) => (args.isPalette ? undefined : tutorialsIcon),
    execute: (args) => opened(notebooks.tutorials(here(args)).then(open)),
  });
  commands.addCommand(Command.dashboard, {
    label: (args) => (args.isPalette ? "Open the Dashboard of Runs" : "Dashboard"),
    caption: "The runs beside the newest one: watched, compared and steered, in a notebook of their own",
    isEnabled: () => runs.runs.length > 0,
    execute: () => opened(openDashboard()),
  });
  commands.addCommand(Command.continueRun, {
    label: "Go on with a run in a new notebook",
    execute: (args) => opened(notebooks.fromTemplate("continue", "", String(args.run)).then(open)),
  });
  commands.addCommand(Command.openNotebook, {
    label: "Open the notebook of a run",
    execute: (args) => open(String(args.path)),
  });
  commands.addCommand(Command.showFolder, {
    label: "Show the folder of a run",
    execute: (args) => commands.execute("filebrowser:go-to-path", { path: `/${String(args.path)}` }),
  });
  commands.addCommand(Command.showRuns, {
    label: "Show Runs",
    caption: "The side panel that lists the runs",
    icon: (args) => (args.isPalette ? undefined : runsIcon),
    execute: () => app.shell.activateById(PANEL),
  });
  commands.addCommand(Command.refresh, {
    label: "Refresh Runs",
    icon: (args) => (args.isPalette ? undefined : refreshIcon),
    execute: () => runs.refresh(),
  });
}

export function addToPalette(palette: ICommandPalette): void {
  const { experiment, tutorials, dashboard, showRuns, refresh, pause, stop } = Command;
  for (const command of [experiment, tutorials, dashboard, showRuns, refresh, pause, stop]) {
    palette.addItem({ command, category: CATEGORY, args: { isPalette: true } });
  }
}

export function addToLauncher(launcher: ILauncher): void {
  launcher.add({ command: Command.experiment, category: CATEGORY, rank: 1 });
  launcher.add({ command: Command.tutorials, category: CATEGORY, rank: 2 });
}
