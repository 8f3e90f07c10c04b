import { type LabIcon, runIcon, stopIcon } from "@jupyterlab/ui-components";
import React from "react";
import { Command } from "./commands";
import { pauseIcon } from "./icons";
import { isActive } from "./model";
import type { Action, Run } from "./server";

export type Act = (command: string, args?: { [name: string]: string }) => Promise<unknown>;

/** What a trainer can be asked in each state. */
export function actions(run: Run): Action[] {
  if (!run.steered) {
    return [];
  }
  if (!isActive(run)) {
    return ["start"];
  }
  return [run.state === "paused" ? "resume" : "pause", "stop"];
}

const LOOKS: { [action in Action]: [label: string, icon: LabIcon] } = {
  start: ["Train on", runIcon],
  resume: ["Resume", runIcon],
  pause: ["Pause", pauseIcon],
  stop: ["Stop", stopIcon],
};

/** The buttons that steer a run that is going on. */
export function Controls({ run, act }: { run: Run; act: Act }): React.JSX.Element {
  const [asked, setAsked] = React.useState(false);
  const ask = async (kind: Action) => {
    setAsked(true);
    try {
      await act(Command.steer, { run: run.path, kind });
    } finally {
      setAsked(false);
    }
  };
  return (
    <>
      {actions(run).map((kind) => {
        const [label, icon] = LOOKS[kind];
        return (
          <button
            key={kind === "resume" ? "pause" : kind}
            type="button"
            className="rlw-Icon"
            data-testid={`rlw-${kind}`}
            title={label}
            aria-label={`${label} ${run.env}, ${run.name}`}
            disabled={asked}
            onClick={() => void ask(kind)}
          >
            <icon.react tag="span" width="14px" height="14px" />
          </button>
        );
      })}
    </>
  );
}

/** What can be done with a run beside that. */
export function Offers({ run, act }: { run: Run; act: Act }): React.JSX.Element {
  const offers: [label: string, command: string, args: { [name: string]: string }][] = [];
  if (actions(run).includes("start")) {
    offers.push([LOOKS.start[0], Command.steer, { run: run.path, kind: "start" }]);
  }
  if (run.notebook !== null) {
    offers.push(["Open notebook", Command.openNotebook, { path: run.notebook }]);
  }
  offers.push(["Show folder", Command.showFolder, { path: run.path }]);
  if (!isActive(run) && run.env !== "") {
    offers.push(["Load in a new notebook", Command.continueRun, { run: run.path }]);
  }
  return (
    <>
      {offers.map(([label, command, args]) => (
        <button key={label} type="button" onClick={() => void act(command, args)}>
          {label}
        </button>
      ))}
    </>
  );
}
