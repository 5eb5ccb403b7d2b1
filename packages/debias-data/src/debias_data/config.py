"""What `build` is told: where problems come from, what is done with them, how they are split.

Importing this module loads pydantic and nothing heavier: other packages nest `BuildConfig` in
their own configuration.
"""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

Operation = Literal["swap", "mark", "auto"]
SplitName = Literal["train", "dev", "test"]
Proportion = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """Unknown fields are errors and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceBase(Strict):
    """What every source has in common."""

    limit: Count | None = Field(
        None, description="Read at most this many rows of the source; null reads all of them."
    )
    split: SplitName | None = Field(
        None, description="Put every pair of this source into one split, whatever its hash says."
    )


class FileSource(SourceBase):
    """A source that reads local files."""

    path: Path = Field(description="A file, or a folder of files where the source allows it.")


class ProblemSource(FileSource):
    """A source of single problems, which become pairs by `operation`."""

    operation: Operation = Field(
        "swap",
        description="swap: gendered problems become pairs and neutral ones are skipped. mark: "
        "gender is brought into neutral problems and gendered ones are skipped. auto: both.",
    )
    on_bad_row: Literal["error", "skip"] = Field(
        "error",
        description="error: the first bad row ends the build. skip: it is counted and listed in "
        "the card.",
    )


class ColumnSource(ProblemSource):
    """A source of problems whose columns the user names."""

    prompt: str = Field("prompt", description="Name of the column with the problem text.")
    reference: str | None = Field(
        None, description="Name of the column with the reference solution, if there is one."
    )
    cluster: str | None = Field(
        None,
        description="Name of a column whose value names the cluster; null takes the prompt's hash.",
    )
    domain: str = Field("other", description="The domain that every row gets.")
    name: str | None = Field(None, description="Source name in the table; null takes the kind.")


class NuminaSource(ProblemSource):
    """NuminaMath-CoT: a local parquet file or a folder of them."""

    kind: Literal["numina"] = "numina"
    subsets: tuple[str, ...] | None = Field(
        None, description="Keep only rows whose `source` column is one of these; null keeps all."
    )


class OneShotRlvrSource(ProblemSource):
    """The one-shot RLVR file: one ungendered problem, repeated, so `mark` is its operation."""

    kind: Literal["one_shot_rlvr"] = "one_shot_rlvr"
    operation: Operation = Field(
        "mark", description="mark or auto: gender is brought in. swap yields nothing and says so."
    )


class WinogenderSource(FileSource):
    """WinoGender: a folder with `all_sentences.tsv`, or that file."""

    kind: Literal["winogender"] = "winogender"
    participants: Literal["both", "named", "someone"] = Field(
        "both", description="Sentences with the named participant, with `someone`, or both."
    )


class WinobiasSource(FileSource):
    """WinoBias: a folder with the `pro_stereotyped_*` and `anti_stereotyped_*` files."""

    kind: Literal["winobias"] = "winobias"
    types: tuple[Literal["type1", "type2"], ...] = Field(
        ("type1", "type2"), min_length=1, description="Which of the two sentence types to read."
    )
    parts: tuple[Literal["dev", "test"], ...] = Field(
        ("dev", "test"), min_length=1, description="Which of the two published parts to read."
    )


class SyntheticSource(SourceBase):
    """Gender-balanced word problems made from the package's own templates."""

    kind: Literal["synthetic"] = "synthetic"
    clusters: Count = Field(400, description="Number of distinct problems, one pair each.")
    seed: int = Field(0, description="Seed of the generator.")
    domain: Literal["maths"] = Field("maths", description="Which family of templates is used.")


class JsonlSource(ColumnSource):
    """Problems in a JSON Lines file."""

    kind: Literal["jsonl"] = "jsonl"


class CsvSource(ColumnSource):
    """Problems in a CSV file with a header."""

    kind: Literal["csv"] = "csv"
    delimiter: str = Field(
        ",", min_length=1, max_length=1, description="The character between two columns."
    )


class ParquetSource(ColumnSource):
    """Problems in a parquet file or a folder of them."""

    kind: Literal["parquet"] = "parquet"


class HubSource(SourceBase):
    """Problems in a data set of the Hugging Face hub, streamed by `datasets`."""

    kind: Literal["hub"] = "hub"
    repo: str = Field(description="The data set's id, e.g. AI-MO/NuminaMath-CoT.")
    revision: str | None = Field(None, description="Commit or tag; pin it for a repeatable build.")
    hub_split: str = Field("train", description="Which split of the published data set to read.")
    operation: Operation = Field("swap", description="As for local files: swap, mark or auto.")
    prompt: str = Field("problem", description="Name of the column with the problem text.")
    reference: str | None = Field(None, description="Name of the column with the solution.")
    domain: str = Field("other", description="The domain that every row gets.")


class PluginSource(SourceBase):
    """A source that another package registered under the entry point `debias_data.sources`."""

    kind: Literal["plugin"] = "plugin"
    name: str = Field(description="Name under which the source is registered.")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="Handed to the source as they are."
    )


SourceConfig = Annotated[
    NuminaSource
    | OneShotRlvrSource
    | WinogenderSource
    | WinobiasSource
    | SyntheticSource
    | JsonlSource
    | CsvSource
    | ParquetSource
    | HubSource
    | PluginSource,
    Field(discriminator="kind"),
]


class SplitConfig(Strict):
    """Shares of the clusters; a cluster's split follows from its hash alone."""

    train: Proportion = Field(0.8, description="Share of the clusters for training.")
    dev: Proportion = Field(0.1, description="Share of the clusters for decisions while training.")
    test: Proportion = Field(0.1, description="Share of the clusters for the final figures.")

    @model_validator(mode="after")
    def _sums_to_one(self) -> SplitConfig:
        if not isclose(self.train + self.dev + self.test, 1.0, abs_tol=1e-9):
            raise ValueError(f"the shares sum to {self.train + self.dev + self.test}, not to 1")
        return self


class BalanceConfig(Strict):
    """How even the table has to be, and what is done to make it so."""

    by: tuple[Literal["origin", "domain", "source"], ...] = Field(
        (),
        description="What is evened out and checked: the gender of the original text, the domain, "
        "the source. The two groups are always equal, because pairs are.",
    )
    method: Literal["none", "undersample", "oversample", "complete"] = Field(
        "none",
        description="none only checks; undersample drops pairs of the larger strata; oversample "
        "repeats pairs of the smaller ones in the train split under new ids; complete brings "
        "gender (`mark`) into neutral problems of the smaller domains or sources.",
    )
    tolerance: Proportion = Field(
        1.0,
        description="Largest allowed (largest − smallest) / largest stratum, in pairs, for each "
        "entry of `by`; beyond it the build fails. 1 allows everything.",
    )

    @model_validator(mode="after")
    def _can_be_completed(self) -> BalanceConfig:
        if self.method == "complete" and "origin" in self.by:
            raise ValueError("origin cannot be completed: only texts of that gender have it")
        return self


class NearDuplicateConfig(Strict):
    """Pairs that are nearly the same text as an earlier one are left out (MinHash)."""

    threshold: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = Field(
        0.8, description="Share of common word sequences from which two prompts are one too many."
    )
    words: Annotated[int, Field(ge=1, le=20)] = Field(
        3, description="Length of the compared word sequences."
    )


class BenchmarkConfig(Strict):
    """An evaluation benchmark whose texts must not be trained on."""

    name: str = Field(
        min_length=1,
        description="Its name in messages and in the card; where `path` is null, the folder in "
        "`data_dir`.",
    )
    path: Path | None = Field(
        None, description="JSONL (also .gz) or Parquet; null takes the file known by the name."
    )
    column: str | None = Field(
        None, description="Column with the text; null takes the one known by the name."
    )


class OverlapConfig(Strict):
    """Pairs that share a long word sequence with a benchmark are kept out of train."""

    benchmarks: tuple[BenchmarkConfig, ...] = Field(
        min_length=1, description="Which benchmarks are kept out."
    )
    words: Annotated[int, Field(ge=3, le=50)] = Field(
        13, description="Number of words in a row that make an overlap; shorter texts, all of them."
    )
    data_dir: Path | None = Field(
        None, description="Folder with one folder a benchmark; null takes DEBIAS_DATA_DIR."
    )


class BuildConfig(Strict):
    """A whole build: sources, split, balance."""

    sources: tuple[SourceConfig, ...] = Field(
        min_length=1, description="Where the problems come from, in this order."
    )
    split: SplitConfig = Field(
        default_factory=SplitConfig, description="Shares of train, dev and test."
    )
    seed: int = Field(0, description="Seed of the split and of sampling.")
    max_pairs: Count | None = Field(
        None, description="Stop after this many pairs; null takes all of them."
    )
    min_confidence: Proportion = Field(
        0.8, description="Pairs whose swap is less certain than this are dropped and counted."
    )
    balance: BalanceConfig = Field(
        default_factory=BalanceConfig, description="Evenness: what is checked and corrected."
    )
    near_duplicates: NearDuplicateConfig | None = Field(
        None, description="Leave near-duplicates out; null keeps them."
    )
    overlap: OverlapConfig | None = Field(
        None, description="Keep benchmarks out of train; null looks at none."
    )
    tokenizer: Path | None = Field(
        None,
        description="tokenizer.json, or the folder of a model: the card shows by how many tokens "
        "the two sides differ, and names are swapped for names of equal token count. Needs "
        "debias-data[tokens].",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that label and swap; the table is the same for any number."
    )
