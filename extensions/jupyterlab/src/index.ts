/** RL Workbench in JupyterLab: runs in the side panel and the status bar, tiles in the launcher, commands. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IDefaultFileBrowser } from "@jupyterlab/filebrowser";
import { ILauncher } from "@jupyterlab/launcher";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { IStatusBar } from "@jupyterlab/statusbar";
import { addCommands, addToLauncher, addToPalette, PANEL } from "./commands";
import { DEFAULTS, Runs, type Settings } from "./model";
import { Notebooks } from "./notebooks";
import { RunsPanel } from "./panel";
import { Server } from "./server";
import { StatusItem } from "./statusbar";
import { keepStills } from "./stills";
import { addSteering } from "./steering";

const ID = "rl-workbench:plugin";

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "Lists the runs of RL Workbench, and makes notebooks for new ones.",
  autoStart: true,
  optional: [ISettingRegistry, ILayoutRestorer, ICommandPalette, ILauncher, IStatusBar, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    registry: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    statusBar: IStatusBar | null,
    browser: IDefaultFileBrowser | null,
  ): void => {
    const server = new Server(app.serviceManager.serverSettings);
    const runs = new Runs(server);
    const parts = { app, server, runs, notebooks: new Notebooks(server, app.serviceManager), browser };
    addCommands(parts);
    addSteering(parts);
    keepStills(app);

    const panel = new RunsPanel(runs, app.commands);
    app.shell.add(panel, "left", { rank: 350, type: CATEGORY_TYPE });
    restorer?.add(panel, PANEL);
    if (palette) {
      addToPalette(palette);
    }
    if (launcher) {
      addToLauncher(launcher);
    }
    if (statusBar) {
      const item = new StatusItem(runs, app.commands);
      statusBar.registerStatusItem(ID, {
        item,
        align: "left",
        rank: 20,
        isActive: () => runs.current !== undefined,
        activeStateChanged: runs.changed,
      });
    }
    void follow(registry, app, runs);
  },
};

const CATEGORY_TYPE = "RL Workbench";

/** Take the settings, now and whenever they change. */
async function follow(registry: ISettingRegistry | null, app: JupyterFrontEnd, runs: Runs): Promise<void> {
  await app.restored;
  if (registry === null) {
    runs.configure(DEFAULTS);
    return;
  }
  const settings = await registry.load(ID);
  const take = () => runs.configure(settings.composite as unknown as Settings);
  settings.changed.connect(take);
  take();
}

export default plugin;
