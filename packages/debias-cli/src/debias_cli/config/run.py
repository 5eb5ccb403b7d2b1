"""The `run` and `report` sections: names, folders, and what counts as success."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from debias_cli.config.base import Section


class RunSection(Section):
    """Where the run goes."""

    name: str = Field(
        default="run",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$",
        description="Name of the run; the folder is OUTPUT_DIR/NAME-KEY.",
    )
    output_dir: Path = Field(
        default=Path("runs"),
        description="Folder of run folders, relative to the working directory.",
    )
    strict: bool = Field(
        default=False,
        description="End with exit code 5 when a success criterion is not met.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        description="Seed of sampling and resampling in the evaluation.",
    )


class ReportSection(Section):
    """What the report is called and how much of it is written out."""

    title: str | None = Field(
        default=None, max_length=200, description="Heading of the report; default: the run's name."
    )
