import { ServerConnection } from "@jupyterlab/services";
import React from "react";
import { Command } from "./commands";
import type { Act } from "./controls";
import { runsIcon } from "./icons";
import type { Runs } from "./model";
import { MissingError } from "./server";

/** What keeps the list from being renewed, and what to do about it. */
export function Fault({ fault }: { fault: unknown }): React.JSX.Element | null {
  if (fault === null) {
    return null;
  }
  const advice =
    fault instanceof MissingError
      ? "Its extension of RL Workbench is not loaded: restart JupyterLab. “workbench doctor” tells more."
      : fault instanceof Error && !(fault instanceof ServerConnection.NetworkError)
        ? fault.message
        : "JupyterLab's server does not answer; trying again.";
  return (
    <p className="rlw-Fault" role="alert">
      {advice}
    </p>
  );
}

interface EmptyProps {
  runs: Runs;
  none: boolean;
  filter: string;
  clear: () => void;
  act: Act;
}

/** What stands where no run does. */
export function Empty({ runs, none, filter, clear, act }: EmptyProps): React.JSX.Element | null {
  if (!none || !runs.known) {
    return null;
  }
  if (runs.runs.length > 0) {
    return (
      <div className="rlw-Empty">
        <p>No run matches “{filter.trim()}”.</p>
        <button type="button" onClick={clear}>
          Show all
        </button>
      </div>
    );
  }
  return (
    <div className="rlw-Empty" data-testid="rlw-empty">
      <runsIcon.react tag="span" width="40px" height="40px" />
      <h3>No runs yet</h3>
      <p>
        Train an agent, and its run appears here as soon as it writes into <code>{runs.folder}</code>.
      </p>
      <button type="button" className="rlw-mod-first" onClick={() => void act(Command.experiment)}>
        New experiment
      </button>
      <button type="button" onClick={() => void act(Command.tutorials)}>
        Open the tutorials
      </button>
    </div>
  );
}
