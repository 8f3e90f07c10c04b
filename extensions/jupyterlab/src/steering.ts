/** Commands that steer a trainer in another process. */

import { showErrorMessage } from "@jupyterlab/apputils";
import { Command, type Parts } from "./commands";
import type { Action } from "./server";

/** Add what needs a run: the palette's commands are about the one that trains. */
export function addSteering({ app, server, runs }: Parts): void {
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
