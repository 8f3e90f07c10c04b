"""The commands of `workbench`, one file each, with `SUMMARY`, `configure(parser, arguments)` and `run(options) -> int`."""
