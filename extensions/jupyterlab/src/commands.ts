/** What can be done, from the palette, the launcher, the side panel and the status bar. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, showErrorMessage } from "@jupyterlab/apputils";
import type { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import type { ILauncher } from "@jupyterlab/launcher";
import { refreshIcon } from "@jupyterlab/ui-components";
import { experimentIcon, runsIcon, tutorialsIcon } from "./icons";
import type { Runs } from "./model";
import type { Notebooks } from "./notebooks";

export const CATEGORY = "RL Workbench";
export const PANEL = "rl-workbench-runs";

export const Command = {
  experiment: "rl-workbench:new-experiment",
  tutorials: "rl-workbench:tutorials",
  continueRun: "rl-workbench:continue-run",
  showRuns: "rl-workbench:show-runs",
  refresh: "rl-workbench:refresh-runs",
  openNotebook: "rl-workbench:open-notebook",
  showFolder: "rl-workbench:show-folder",
} as const;

export interface Parts {
  app: JupyterFrontEnd;
  runs: Runs;
  notebooks: Notebooks;
  browser: IDefaultFileBrowser | null;
}

export function addCommands({ app, runs, notebooks, browser }: Parts): void {
  const { commands } = app;
  const here = (args: { cwd?: unknown }): string =>
    typeof args.cwd === "string" ? args.cwd : (browser?.model.path ?? "");
  const opened = async (made: Promise<string>): Promise<void> => {
    try {
      await commands.execute("docmanager:open", { path: await made });
    } catch (error) {
      await showErrorMessage("The notebook could not be made", error instanceof Error ? error : String(error));
    }
  };

  commands.addCommand(Command.experiment, {
    label: (args) => (args.isPalette ? "New RL Experiment" : "New experiment"),
    caption: "A notebook that trains an agent, ready to run",
    icon: (args) => (args.isPalette ? undefined : experimentIcon),
    execute: (args) => opened(notebooks.fromTemplate("experiment", here(args))),
  });
  commands.addCommand(Command.tutorials, {
    label: (args) => (args.isPalette ? "Open the RL Workbench Tutorials" : "Tutorials"),
    caption: "The tutorials as notebooks of your own, in a folder beside your work",
    icon: (args) => (args.isPalette ? undefined : tutorialsIcon),
    execute: (args) => opened(notebooks.tutorials(here(args))),
  });
  commands.addCommand(Command.continueRun, {
    label: "Go on with a run in a new notebook",
    execute: (args) => opened(notebooks.fromTemplate("continue", "", String(args.run))),
  });
  commands.addCommand(Command.openNotebook, {
    label: "Open the notebook of a run",
    execute: (args) => commands.execute("docmanager:open", { path: String(args.path) }),
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
  for (const command of [Command.experiment, Command.tutorials, Command.showRuns, Command.refresh]) {
    palette.addItem({ command, category: CATEGORY, args: { isPalette: true } });
  }
}

export function addToLauncher(launcher: ILauncher): void {
  launcher.add({ command: Command.experiment, category: CATEGORY, rank: 1 });
  launcher.add({ command: Command.tutorials, category: CATEGORY, rank: 2 });
}
