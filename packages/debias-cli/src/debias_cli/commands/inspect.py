"""`validate`, `plan`, `init` and `schema`: everything that reads and nothing that computes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from debias_cli.config.dump import dump_commented
from debias_cli.config.load import load_config
from debias_cli.config.run import RunSection
from debias_cli.config.tree import PipelineConfig
from debias_cli.config.yaml_reader import read_yaml, to_plain
from debias_cli.errors import UsageError
from debias_cli.resources import quickstart_text
from debias_cli.rundir.files import write_text
from debias_cli.rundir.folder import HASHES_NAME
from debias_cli.rundir.hashes import HashCache
from debias_cli.stages.graph import build_graph, run_folder, sweep_folder
from debias_cli.stages.packages import check_packages
from debias_cli.stages.planning import Decision, Selection, make_plan
from debias_cli.stages.protocols import check_protocols
from debias_cli.ui.output import Output

_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WORDS = {"run": "runs", "reuse": "is finished", "copy": "is taken over", "skip": "is left out"}


def validate_file(path: Path, overrides: Sequence[str], output: Output) -> int:
    """Says that the configuration is valid, or raises with every problem."""
    loaded = load_config(path, overrides=overrides)
    check_protocols(loaded)
    swept = loaded.config.sweep is not None
    folder = sweep_folder(loaded) if swept else run_folder(loaded).path
    what = "sweep" if swept else "run"
    output.say(f"{path}: valid; the {what} folder is {folder}")
    output.emit({"ok": True, "file": str(path), f"{what}_dir": str(folder)})
    return 0


def plan_file(path: Path, overrides: Sequence[str], selection: Selection, output: Output) -> int:
    """Prints what `run` would do with every stage, and why."""
    loaded = load_config(path, overrides=overrides)
    if loaded.config.sweep is not None:
        from debias_cli.commands.sweep import plan_sweep  # noqa: PLC0415 - half of all imports

        return plan_sweep(loaded, selection, output)
    folder = run_folder(loaded)
    hashes = HashCache(loaded.config.run.output_dir / HASHES_NAME)
    decisions = make_plan(build_graph(loaded, hashes), folder, selection, hashes)
    hashes.save()
    check_packages(loaded.config, decisions)
    output.say(f"run folder: {folder.path}{'' if folder.path.exists() else ' (new)'}")
    width = max(len(item.stage.name) for item in decisions)
    for item in decisions:
        for line in _describe(item, width):
            output.say(line)
    num_runs = sum(item.action == "run" for item in decisions)
    output.say(f"{num_runs} of {len(decisions)} stages would run")
    output.emit(
        {
            "ok": True,
            "run_dir": str(folder.path),
            "stages": [
                {
                    "name": item.stage.name,
                    "kind": item.stage.kind,
                    "key": item.stage.key,
                    "action": item.action,
                    "reasons": list(item.reasons),
                    "benchmarks": [
                        {
                            "name": below.benchmark.name,
                            "action": below.action,
                            "reasons": list(below.reasons),
                        }
                        for below in item.benchmarks
                    ],
                }
                for item in decisions
            ],
        }
    )
    return 0


def _describe(item: Decision, width: int) -> Iterator[str]:
    """A line a stage, and one a benchmark where they do not all run for the same reason."""
    name, reasons = item.stage.name, "; ".join(item.reasons)
    apart = len({(below.action, below.reasons) for below in item.benchmarks}) > 1
    if apart:
        count = sum(below.action == "run" for below in item.benchmarks)
        reasons = f"{count} of {len(item.benchmarks)} benchmarks"
    yield f"  {name:<{width}}  {_WORDS[item.action]:<13}  {reasons}"
    for below in item.benchmarks if apart else ():
        name, reasons = below.benchmark.name, "; ".join(below.reasons)
        yield f"    {name:<{width - 2}}  {_WORDS[below.action]:<13}  {reasons}"


def write_template(path: Path, model: str, output: Output, *, force: bool) -> int:
    """Writes a commented configuration that runs as it is."""
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force replaces it")
    plain = to_plain(read_yaml(quickstart_text(), "quickstart.yaml"))
    assert isinstance(plain, dict)
    config = PipelineConfig.model_validate_json(json.dumps(plain), strict=True)
    changed = config.model.model_copy(update={"path": model})
    name = path.stem if path.stem.isidentifier() else "run"
    config = config.model_copy(update={"model": changed, "run": RunSection(name=name)})
    head = (
        "# A run of debias-cli; `debias-cli plan FILE` says what would run, and why.\n"
        "# Paths are relative to this file, the output folder to the working directory;\n"
        "# ${NAME} and ${NAME:-default} stand for environment variables.\n"
    )
    write_text(path, head + dump_commented(config))
    output.say(f"wrote {path}; next: debias-cli run {path}")
    output.emit({"ok": True, "file": str(path)})
    return 0


def print_schema(output: Output) -> int:
    """Prints the JSON Schema of a configuration file."""
    content = {"$schema": _SCHEMA_DIALECT, **PipelineConfig.model_json_schema(by_alias=True)}
    # JSON with or without --json
    output.stream.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0
