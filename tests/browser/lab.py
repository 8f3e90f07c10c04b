"""A notebook in JupyterLab, driven: run cells, read their outputs, look at the panel."""

import nbformat
from jupyterserver import JupyterServer
from playwright.sync_api import Locator, Page

RUN = """([index]) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""
DONE = """([index]) => {
  const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
  return cell.model.executionState === 'idle' && cell.model.executionCount !== null;
}"""
TEXT = """([index]) => window.jupyterapp.shell.currentWidget.content.widgets[index].model.sharedModel.getOutputs()
  .map(output => output.text ?? output.data?.['text/plain'] ?? output.traceback?.join('') ?? '')
  .map(text => Array.isArray(text) ? text.join('') : text).join('')"""
READY = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  return widget?.sessionContext?.session?.kernel?.status === 'idle' && widget.content?.widgets?.length > 0;
}"""


class Lab:
    def __init__(self, page: Page, server: JupyterServer) -> None:
        self.page, self.server = page, server

    def write(self, name: str, *cells: str) -> str:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.server.notebooks / name)
        return name

    def open(self, name: str) -> None:
        self.page.goto(self.server.address(name))
        self.page.wait_for_function(READY, timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def run(self, index: int) -> None:
        self.page.evaluate(RUN, [index])

    def finish(self, index: int, timeout: int = 60_000) -> str:
        """Run a cell to its end and return the text of its outputs."""
        self.run(index)
        return self.finished(index, timeout)

    def finished(self, index: int, timeout: int = 60_000) -> str:
        self.page.wait_for_function(DONE, arg=[index], timeout=timeout)
        return self.page.evaluate(TEXT, [index])

    def run_all(self, timeout: int) -> None:
        """Run every cell and wait for the last one."""
        script = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
        self.page.set_default_timeout(timeout)
        self.page.evaluate(script)
        self.page.wait_for_function(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
              .filter(cell => cell.model.type === 'code')
              .every(cell => cell.model.executionState === 'idle')"""
        )

    def panel(self, status: str) -> Locator:
        """Wait until the panel says `status`, and return it."""
        panel = self.page.locator(f'.jp-OutputArea [data-testid="panel"][data-status="{status}"]').first
        panel.wait_for()
        return panel

    def points(self, more_than: int) -> int:
        """Wait until the return's curve has more points, and return how many."""
        script = """least => {
          const points = Number(document.querySelector('[data-testid="panel-plot-episode_return"]')?.dataset.points);
          return points > least ? points : 0;
        }"""
        return self.page.wait_for_function(script, arg=more_than).json_value()

    def settled(self, name: str) -> str:
        """Wait until Python has taken what was asked of a hyperparameter, and return the value shown."""
        self.page.locator(f'[data-testid="panel-control-{name}"]:not([data-pending])').wait_for()
        return self.hook(f"entry-{name}").input_value()

    def answered(self, name: str, value: str) -> None:
        """Type a hyperparameter's value and wait until Python has taken it: all that came before is published too."""
        self.hook(f"entry-{name}").fill(value)
        self.page.keyboard.press("Enter")
        assert self.settled(name) == value

    def save(self, name: str) -> nbformat.NotebookNode:
        """Save the notebook as the user would, and read it from the disk."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.server.notebooks / name, as_version=4)

    def hook(self, name: str) -> Locator:
        return self.page.locator(f'.jp-OutputArea [data-testid="panel-{name}"]')

    def steps(self) -> int:
        return int(self.hook("steps").get_attribute("data-steps") or 0)
