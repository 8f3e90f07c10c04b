/** New notebooks: written by Jupyter's own contents service, never over one that is there. */

import type { Contents, KernelSpec, ServiceManager } from "@jupyterlab/services";
import { PathExt } from "@jupyterlab/coreutils";
import type { Content, Made, Server } from "./server";

const SHELF = "rl-workbench-tutorials";

export class Notebooks {
  constructor(
    private readonly server: Server,
    private readonly services: ServiceManager.IManager,
  ) {}

  /** Make a notebook from a template, where the template says or in `folder`; return its path. */
  async fromTemplate(name: string, folder: string, run?: string): Promise<string> {
    const made = await this.server.template(name, run);
    return this.write(made, made.folder ?? folder);
  }

  /**
   * Return the path of the dashboard of the runs beside `run`, and whether its code is ours: what somebody else wrote
   * under that name is not run unasked. Make it if it is not there.
   */
  async dashboard(run: string): Promise<{ path: string; ours: boolean }> {
    const made = await this.server.template("dashboard", run);
    const folder = made.folder ?? "";
    if (!(await this.names(folder)).has(made.name)) {
      return { path: await this.write(made, folder), ours: true };
    }
    const path = PathExt.join(folder, made.name);
    const found = await this.services.contents.get(path, { type: "notebook", format: "json", content: true });
    return { path, ours: code(found.content as Content) === code(made.content) };
  }

  /** Put the tutorials that are not there yet below `folder`; return the path of the first. */
  async tutorials(folder: string): Promise<string> {
    const tutorials = await this.server.tutorials();
    const paths: string[] = [];
    for (const { name, path } of tutorials) {
      paths.push(path ?? (await this.shelve(name, folder)));
    }
    const first = paths[0];
    if (first === undefined) {
      throw new Error("This installation holds no tutorials; reinstall rl-workbench.");
    }
    return first;
  }

  private async shelve(name: string, folder: string): Promise<string> {
    const shelf = PathExt.join(folder, SHELF);
    const names = await this.names(folder);
    if (!names.has(SHELF)) {
      await this.services.contents.save(shelf, { type: "directory" });
    }
    const file = `${name}.ipynb`;
    const present = names.has(SHELF) && (await this.names(shelf)).has(file);
    return present ? PathExt.join(shelf, file) : this.write(await this.server.tutorial(name), shelf);
  }

  private async write(made: Made, folder: string): Promise<string> {
    const path = PathExt.join(folder, unused(made.name, await this.names(folder)));
    const kernel = python(this.services.kernelspecs.specs);
    if (kernel) {
      made.content.metadata.kernelspec = {
        name: kernel.name,
        display_name: kernel.display_name,
        language: kernel.language,
      };
    }
    await this.services.contents.save(path, { type: "notebook", format: "json", content: made.content });
    return path;
  }

  private async names(folder: string): Promise<Set<string>> {
    const directory = await this.services.contents.get(folder, { content: true });
    return new Set((directory.content as Contents.IModel[]).map((entry) => entry.name));
  }
}

/** "experiment.ipynb", or "experiment-2.ipynb" if that is taken, and so on. */
export function unused(name: string, taken: ReadonlySet<string>): string {
  const extension = PathExt.extname(name);
  const stem = name.slice(0, name.length - extension.length);
  let free = name;
  for (let number = 2; taken.has(free); number++) {
    free = `${stem}-${number}${extension}`;
  }
  return free;
}

/** All that a notebook would run. */
function code({ cells }: Content): string {
  return JSON.stringify(cells.filter((cell) => cell.cell_type === "code").map(({ source }) => [source].flat().join("")));
}

/** The default kernel if it speaks Python, else the first that does. */
function python(specs: KernelSpec.ISpecModels | null): KernelSpec.ISpecModel | undefined {
  const all = Object.values(specs?.kernelspecs ?? {});
  const speaking = all.filter((spec) => spec !== undefined && spec.language === "python");
  return speaking.find((spec) => spec?.name === specs?.default) ?? speaking[0];
}
