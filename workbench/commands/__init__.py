"""The commands of `workbench`, one file each: `configure(parser, arguments)`, and `run(options)`, the exit code."""
