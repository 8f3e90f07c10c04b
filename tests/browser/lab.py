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

    def run(self, index: int) -> None:
        self.page.evaluate(RUN, [index])

    def finish(self, index: int, timeout: int = 60_000) -> str:
        """Run a cell to its end and return the text of its outputs."""
        self.run(index)
        return self.finished(index, timeout)

    def finished(self, index: int, timeout: int = 60_000) -> str:
        self.page.wait_for_function(DONE, arg=[index], timeout=timeout)
        return self.page.evaluate(TEXT, [index])

    def hook(self, name: str) -> Locator:
        return self.page.locator(f'.jp-OutputArea [data-testid="panel-{name}"]')

    def steps(self) -> int:
        return int(self.hook("steps").get_attribute("data-steps") or 0)
