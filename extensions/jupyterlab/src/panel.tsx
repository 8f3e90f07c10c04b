import { addIcon, ReactWidget, refreshIcon, ToolbarButtonComponent, UseSignal } from "@jupyterlab/ui-components";
import type { CommandRegistry } from "@lumino/commands";
import type { Message } from "@lumino/messaging";
import React, { useState } from "react";
import { Command, PANEL } from "./commands";
import { type Act, Controls, Offers } from "./controls";
import { dashboardIcon, runsIcon } from "./icons";
import type { Runs } from "./model";
import { Empty, Fault } from "./notices";
import { Row } from "./row";
import type { Run } from "./server";

/** The side panel: the runs, newest first. */
export class RunsPanel extends ReactWidget {
  constructor(
    private readonly runs: Runs,
    private readonly commands: CommandRegistry,
  ) {
    super();
    this.id = PANEL;
    this.title.icon = runsIcon;
    this.title.caption = "RL Workbench: runs";
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", "Runs of RL Workbench");
    this.addClass("rlw-Panel");
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.runs.watch(true);
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.runs.watch(false);
  }

  protected render(): React.JSX.Element {
    return (
      <UseSignal signal={this.runs.changed}>
        {() => <List runs={this.runs} act={(command, args) => this.commands.execute(command, args)} />}
      </UseSignal>
    );
  }
}

function List({ runs, act }: { runs: Runs; act: Act }): React.JSX.Element {
  const [filter, setFilter] = useState("");
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const shown = runs.runs.filter((run) => matches(run, filter));
  const toggle = (path: string) => {
    const next = new Set(open);
    if (!next.delete(path)) {
      next.add(path);
    }
    setOpen(next);
  };
  return (
    <>
      <div className="rlw-Header">
        <h2>Runs</h2>
        <ToolbarButtonComponent
          icon={dashboardIcon}
          tooltip="Dashboard"
          enabled={runs.runs.length > 0}
          onClick={() => void act(Command.dashboard)}
        />
        <ToolbarButtonComponent icon={addIcon} tooltip="New experiment" onClick={() => void act(Command.experiment)} />
        <ToolbarButtonComponent icon={refreshIcon} tooltip="Refresh" onClick={() => void act(Command.refresh)} />
      </div>
      {runs.runs.length > 0 && (
        <input
          className="rlw-Filter"
          type="search"
          placeholder="Filter"
          aria-label="Filter the runs"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      )}
      <Fault fault={runs.fault} />
      <Empty runs={runs} none={shown.length === 0} filter={filter} clear={() => setFilter("")} act={act} />
      <ul className="rlw-Runs" onKeyDown={walk}>
        {shown.map((run) => (
          <Row
            key={run.path}
            run={run}
            now={Date.now()}
            open={open.has(run.path)}
            toggle={() => toggle(run.path)}
            controls={<Controls run={run} act={act} />}
            offers={<Offers run={run} act={act} />}
          />
        ))}
      </ul>
      {runs.total > runs.runs.length && (
        <p className="rlw-Rest">
          The newest {runs.runs.length} of {runs.total} runs
        </p>
      )}
    </>
  );
}

/** Every word of the filter is somewhere in what is known of the run. */
export function matches(run: Run, filter: string): boolean {
  const text = [run.path, run.env, run.algorithm, run.learner, run.state, `seed ${run.seed}`].join(" ").toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Arrow keys go from run to run. */
function walk(event: React.KeyboardEvent<HTMLUListElement>): void {
  const heads = [...event.currentTarget.querySelectorAll<HTMLElement>(".rlw-Run-head")];
  const at = heads.indexOf(document.activeElement as HTMLElement);
  const targets: { [key: string]: number } = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: heads.length - 1 };
  const target = heads[targets[event.key] ?? -1];
  if (at >= 0 && target) {
    target.focus();
    event.preventDefault();
  }
}
