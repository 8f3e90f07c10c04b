/** What can be done, from the palette, the launcher, the side panel and the status bar. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type ICommandPalette, showErrorMessage } from "@jupyterlab/apputils";
import type { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import type { ILauncher } from "@jupyterlab/launcher";
import { refreshIcon } from "@jupyterlab/ui-components";
import { experimentIcon, runsIcon, tutorialsIcon } from "./icons";
import type { Runs } from "./model";
import type { Notebooks } from "./notebooks";
import type { Action, Server } from "./server";

export const CATEGORY = "RL Workbench";
export const PANEL = "rl-workbench-runs";

export const Command = {
  experiment: "rl-workbench:new-experiment",
  tutorials: "rl-workbench:tutorials",
  steer: "rl-workbench:steer",
  pause: "rl-workbench:pause",
  stop: "rl-workbench:stop",
  continueRun: "rl-workbench:continue-run",
  showRuns: "rl-workbench:show-runs",
  refresh: "rl-workbench:refresh-runs",
  openNotebook: "rl-workbench:open-notebook",
  showFolder: "rl-workbench:show-folder",
} as const;

export interface Parts {
  app: JupyterFrontEnd;
  server: Server;
  runs: Runs;
  notebooks: Notebooks;
  browser: IDefaultFileBrowser | null;
}

/** Add what needs a run: the palette's commands are about the one that trains. */
function addSteering({ app, server, runs }: Parts): void {
  const { commands } = app;
  commands.addCommand(Command.steer, {
    label: "Steer a run",
    execute: async (args) => {
      try {
        await server.steer(String(args.run), args.kind as Action);
        await runs.settle(String(args.run));
      } catch (error) {
        await showErrorMessage("The trainer was not steered", error instanceof Error ? error : String(error));
      }
    },
  });
  const ask = (kind: Action) => commands.execute(Command.steer, { run: runs.current?.path ?? "", kind });
  const steered = () => runs.current?.steered ?? false;
  commands.addCommand(Command.pause, {
    label: () => (runs.current?.state === "paused" ? "Resume Training" : "Pause Training"),
    isEnabled: steered,
    execute: () => ask(runs.current?.state === "paused" ? "resume" : "pause"),
  });
  commands.addCommand(Command.stop, { label: "Stop Training", isEnabled: steered, execute: () => ask("stop") });
  runs.changed.connect(() => {
    commands.notifyCommandChanged(Command.pause);
    commands.notifyCommandChanged(Command.stop);
  });
}

export function addCommands(parts: Parts): void {
  const { app, runs, notebooks, browser } = parts;
  addSteering(parts);
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
  const { experiment, tutorials, showRuns, refresh, pause, stop } = Command;
  for (const command of [experiment, tutorials, showRuns, refresh, pause, stop]) {
    palette.addItem({ command, category: CATEGORY, args: { isPalette: true } });
  }
}

export function addToLauncher(launcher: ILauncher): void {
  launcher.add({ command: Command.experiment, category: CATEGORY, rank: 1 });
  launcher.add({ command: Command.tutorials, category: CATEGORY, rank: 2 });
}
