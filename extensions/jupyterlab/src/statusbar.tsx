import { ReactWidget, UseSignal } from "@jupyterlab/ui-components";
import type { CommandRegistry } from "@lumino/commands";
import React from "react";
import { Command } from "./commands";
import { amount, score } from "./format";
import { isActive, type Runs } from "./model";

/** The speed and the return of the run that trains; a click opens the list. */
export class StatusItem extends ReactWidget {
  constructor(
    private readonly runs: Runs,
    private readonly commands: CommandRegistry,
  ) {
    super();
    this.addClass("rlw-Status");
  }

  protected render(): React.JSX.Element {
    return <UseSignal signal={this.runs.changed}>{() => this.item()}</UseSignal>;
  }

  private item(): React.JSX.Element | null {
    const run = this.runs.current;
    if (run === undefined) {
      return null;
    }
    const others = this.runs.runs.filter(isActive).length - 1;
    const speed = run.state === "paused" ? "paused" : `${amount(run.steps_per_second ?? 0)} steps/s`;
    const title = `${run.env}, ${run.algorithm}: ${run.state}, ${amount(run.steps)} steps${others > 0 ? `; ${others} more` : ""}`;
    return (
      <button
        type="button"
        className="rlw-Status-button"
        data-testid="rlw-status"
        data-state={run.state}
        title={`${title}. Show the runs`}
        onClick={() => void this.commands.execute(Command.showRuns)}
      >
        <span className="rlw-Dot" aria-hidden="true" />
        <span>{speed}</span>
        <span>return {score(run.episode_return)}</span>
        {others > 0 && <span className="rlw-Status-more">+{others}</span>}
      </button>
    );
  }
}
