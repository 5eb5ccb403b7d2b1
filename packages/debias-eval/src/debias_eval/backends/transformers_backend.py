"""The ``transformers`` back end: a local model, batched, on the CPU or one GPU."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch

from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    BackendSettings,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.backends.decoding import Decoded, DecodeRow, decode
from debias_eval.backends.identity import FolderState, model_identity
from debias_eval.backends.loading import (
    LoadedModel,
    load_model,
    model_folder,
    torch_device,
)
from debias_eval.backends.options import no_options
from debias_eval.backends.registry import backends
from debias_eval.backends.rows import RowCosts, group_by_length, score_rows
from debias_eval.backends.scoring import float32_head
from debias_eval.backends.tokenizing import TextCodec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from debias_eval.backends.base import FinishReason
    from debias_eval.protocol import Protocol

__all__ = ["TransformersBackend"]

_CPU_BYTES = 1 << 30  # for the KV cache of a batch, and for the logits that are scored
_GPU_SHARE = 0.25  # of the card's memory, for each of the two
_MAX_ROWS = 256
_CPU_TOKENS = 8192  # of a forward pass that scores


def _stop_ids(loaded: LoadedModel) -> frozenset[int]:
    """Return the stop ids of the generation config, else of the config, else of the tokenizer."""
    generation = getattr(loaded.model, "generation_config", None)
    for holder in (generation, loaded.model.config, loaded.tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        if ids is not None:
            return frozenset([ids] if isinstance(ids, int) else ids)
    return frozenset()


class _Facts(NamedTuple):
    """What the config of a loaded model says."""

    context: int
    vocabulary: int
    kv_bytes: int
    stop_ids: frozenset[int]


class TransformersBackend:
    """A causal language model of ``transformers``, loaded when it is first asked.

    Args:
        folder: A model folder in the hub's layout.
        settings: Device, dtype, rows at a time.
    """

    name = "transformers"

    def __init__(self, folder: Path, settings: BackendSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._files = FolderState(folder)
        self._identity = model_identity(folder)

    @cached_property
    def _loaded(self) -> LoadedModel:
        loaded = load_model(self._folder, self._settings)
        self._files.check_unchanged()
        return loaded

    @cached_property
    def _facts(self) -> _Facts:
        model = self._loaded.model
        config = model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or (
            config.hidden_size // config.num_attention_heads
        )
        return _Facts(
            context=int(getattr(config, "max_position_embeddings", None) or 1 << 30),
            vocabulary=int(config.vocab_size),
            kv_bytes=2 * config.num_hidden_layers * heads * width * model.dtype.itemsize,
            stop_ids=_stop_ids(self._loaded),
        )

    @property
    def variant(self) -> str:
        """Return the dtype that was asked for, and the kind of device that ``auto`` depends on."""
        kind = torch_device(self._settings.device).type
        return f"{self._settings.dtype}/{kind}"

    @property
    def context_length(self) -> int:
        """Return how many tokens prompt and answer may have together."""
        return self._facts.context

    @cached_property
    def _codec(self) -> TextCodec:
        return TextCodec(self._loaded.tokenizer, self._identity.path)

    def identity(self) -> ModelIdentity:
        """Return the content hashes of the model folder."""
        return self._identity

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the prompt that ``protocol`` makes of an item's text."""
        return self._codec.render(protocol, text)

    def _rows_for(self, tokens: int, bytes_per_token: int) -> int:
        """Return how many rows of ``tokens`` fit into memory; a function of the machine alone."""
        if self._settings.batch_size is not None:
            return self._settings.batch_size
        budget = float(_CPU_BYTES)
        if self._loaded.device.type == "cuda":
            budget = torch.cuda.get_device_properties(self._loaded.device).total_memory * _GPU_SHARE
        return max(1, min(_MAX_ROWS, int(budget / (max(tokens, 1) * bytes_per_token))))

    def _scored_rows_for(self, tokens: int, bytes_per_token: int) -> int:
        """Return the same for rows that are scored: on a CPU, what its caches hold is faster."""
        rows = self._rows_for(tokens, bytes_per_token)
        if self._settings.batch_size is not None or self._loaded.device.type == "cuda":
            return rows
        return max(1, min(rows, _CPU_TOKENS // max(tokens, 1)))

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return batches of prompts of like length."""
        lengths = [
            len(self._codec.encode(request.prompt)) + request.max_new_tokens for request in requests
        ]
        return group_by_length(
            lengths, lambda longest: self._rows_for(longest, self._facts.kv_bytes)
        )

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return one answer a request; all of them run as one batch."""
        rows: list[DecodeRow | None] = []
        for request in requests:
            ids = self._codec.encode(request.prompt)
            room = self._facts.context - len(ids)
            rows.append(
                DecodeRow(
                    key=request.key,
                    prompt_ids=tuple(ids),
                    max_new_tokens=min(request.max_new_tokens, room),
                    temperature=request.temperature,
                    top_p=request.top_p,
                    seed=request.seed,
                    stop=request.stop,
                )
                if room > 0
                else None
            )
        fitting = [row for row in rows if row is not None]
        decoded = iter(
            decode(self._loaded.model, fitting, self._facts.stop_ids, self._codec.decode)
            if fitting
            else []
        )
        return [
            Generation("", "too_long", ()) if row is None else self._finish(row, next(decoded))
            for row in rows
        ]

    def _finish(self, row: DecodeRow, answer: Decoded) -> Generation:
        text, cut = self._codec.answer_text(row.prompt_ids, answer.token_ids, row.stop)
        reason: FinishReason = "stop" if answer.stopped or cut else "length"
        return Generation(text, reason, tuple(answer.token_ids))

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        """Return the log-likelihood of every continuation, in nats."""
        split = [self._codec.split(*pair) for pair in pairs]
        scores = self._score(split)
        return [
            None if score is None else Likelihood(sum(score.logprobs), len(score.logprobs))
            for score in scores
        ]

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        """Return entropies and log-probabilities of every answer token, EOS included."""
        return self._score([(self._codec.encode(row.prompt), list(row.answer_ids)) for row in rows])

    def _score(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[AnswerScores | None]:
        found: list[AnswerScores | None] = [None] * len(rows)
        asked = []
        for index, (prompt, answer) in enumerate(rows):
            if len(prompt) + len(answer) <= self._facts.context:
                found[index] = AnswerScores((), ())
                asked += [index] if answer else []
        # Scored logits are float32, and four tensors of their size live at once.
        costs = RowCosts(self._facts.kv_bytes, 16 * self._facts.vocabulary, self._scored_rows_for)
        with float32_head(self._loaded.model):
            scores = score_rows(self._loaded.model, [rows[index] for index in asked], costs)
        for index, score in zip(asked, scores, strict=True):
            found[index] = AnswerScores(
                tuple(score.entropy.tolist()), tuple(score.logprob.tolist())
            )
        return found


@backends.register("transformers")
def open_transformers(model: str, settings: BackendSettings) -> TransformersBackend:
    """Load a model folder (or a hub name) for evaluation."""
    no_options(settings, backend="transformers")
    return TransformersBackend(model_folder(model), settings)
