"""The notebook at the end of a batch: its results as a table, by parameters, and its runs compared."""

from pathlib import Path

from workbench.analysis.runs import find_runs
from workbench.batches.folder import RESULTS
from workbench.batches.plan import SEED, Parameters


def write_summary(path: Path, title: str, tasks: list[Parameters]) -> None:
    """Write the notebook, not yet executed.

    Args:
        path: Where to; it lies beside the results.
        title: Of the batch.
        tasks: The parameters of each.
    """
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    varied = [name for name in tasks[0] if name != SEED] if tasks else []
    count = f"{len(tasks)} task{'' if len(tasks) == 1 else 's'}"
    cells = [
        new_markdown_cell(f"# {title}\n\n{count}, over {', '.join(tasks[0]) if tasks and tasks[0] else 'nothing'}."),
        new_code_cell(f'import pandas as pd\n\nresults = pd.read_parquet("{RESULTS}")\nresults'),
    ]
    if varied:
        cells += [
            new_markdown_cell("## By parameters\n\nMean, standard deviation and number of what came out."),
            new_code_cell(
                f"varied = {varied!r}\n"
                'numbers = results.select_dtypes("number").columns.difference([*varied, "task", "seed"])\n'
                'results.groupby(varied)[list(numbers)].agg(["mean", "std", "count"])'
            ),
        ]
    if find_runs(path.parent):
        cells += [
            new_markdown_cell("## The runs, compared"),
            new_code_cell('import workbench as wb\n\nwb.compare(".")'),
        ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
