"""Execute notebooks and store their outputs, in the form that nbdev_clean gives them.

Cells that nbdev_test skips are skipped here too and keep the outputs that they have. Widgets (progress bars, the
explorer) are left out of the outputs: they live as long as the kernel does, and a page would show a dead one."""
import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbdev.clean import nbdev_clean
from nbdev.config import get_config
from nbdev.process import extract_directives

# what libraries say to each other stays out of the pages; a warning that a notebook means to show does not
QUIET = "ignore::DeprecationWarning,ignore::PendingDeprecationWarning,ignore::FutureWarning,ignore:IProgress not found"

WAIT = dict(timeout=None, startup_timeout=600, iopub_timeout=600)  # a busy machine needs longer than nbclient expects

WIDGET = "application/vnd.jupyter.widget-view+json"

class FlaggedClient(NotebookClient):
    "A notebook client that leaves out the cells with `skip_flags` or `eval: false`, and widgets"
    def __init__(self, nb, skip_flags, **kwargs):
        super().__init__(nb, store_widget_state=False, coalesce_streams=True, **WAIT, **kwargs)
        self.skip_flags = set(skip_flags)

    async def async_execute_cell(self, cell, cell_index, **kwargs):
        if cell.cell_type != "code": return cell
        flags = extract_directives(cell, remove=False)
        if self.skip_flags & flags.keys() or flags.get("eval:", [""])[0].lower() == "false": return cell
        await super().async_execute_cell(cell, cell_index, **kwargs)
        cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
        return cell

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all")
    parser.add_argument("--flags", default="", help="run also cells flagged 'slow', 'gpu', 'data', or several of these")
    args = parser.parse_args()
    os.environ |= {"PYTHONWARNINGS": QUIET, "HF_HUB_OFFLINE": "1"}
    config, failed = get_config(), False
    skip_flags = set(config.tst_flags.split()) - set(args.flags.split())
    for path in args.notebooks or sorted(config.nbs_path.glob("*.ipynb")):
        nb = nbformat.read(path, 4)
        client = FlaggedClient(nb, skip_flags, extra_arguments=["--log-level=ERROR"],
                               resources={"metadata": {"path": str(path.parent)}})
        try: client.execute()
        except CellExecutionError as e:
            print(f"{path.name} failed and is left as it was\n{e}", file=sys.stderr)
            failed = True
            continue
        nbformat.write(nb, path)
        nbdev_clean(str(path))
        print(f"{path.name} executed", flush=True)
    return int(failed)

if __name__ == "__main__": sys.exit(main())
