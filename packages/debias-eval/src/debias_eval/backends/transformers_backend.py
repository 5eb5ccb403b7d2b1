"""The ``transformers`` back end: a local model, batched, on the CPU or one GPU."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

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
from debias_eval.backends.loading import (
    LoadedModel,
    load_model,
    model_folder,
    model_identity,
    torch_device,
)
from debias_eval.backends.registry import backends
from debias_eval.backends.scoring import float32_head, score_answers
from debias_eval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from debias_eval.protocol import Protocol

__all__ = ["TransformersBackend"]

_CPU_BYTES = 1 << 30  # for the KV cache of a batch, and for the logits that are scored
_GPU_SHARE = 0.25  # of the card's memory, for each of the two
_MAX_ROWS = 256
_TAIL = 8  # prompt tokens that an answer is decoded with


def _stop_ids(loaded: LoadedModel) -> frozenset[int]:
    """Return the stop ids of the generation config, else of the config, else of the tokenizer."""
    generation = getattr(loaded.model, "generation_config", None)
    for holder in (generation, loaded.model.config, loaded.tokenizer):
        ids = getattr(holder, "eos_token_id", None)
        if ids is not None:
            return frozenset([ids] if isinstance(ids, int) else ids)
    return frozenset()


def _earliest_cut(text: str, stops: Sequence[str]) -> int | None:
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return min(places, default=None)


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
        self._identity = model_identity(folder)

    @cached_property
    def _loaded(self) -> LoadedModel:
        return load_model(self._folder, self._settings)

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

    @property
    def _tokenizer(self) -> PreTrainedTokenizerBase:
        return self._loaded.tokenizer

    def identity(self) -> ModelIdentity:
        """Return the content hashes of the model folder."""
        return self._identity

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the prompt that ``protocol`` makes of an item's text."""
        if not protocol.chat_template:
            return Prompt(protocol.plain_text(text))
        if not getattr(self._tokenizer, "chat_template", None):
            raise ModelError(
                f"{self._identity.path}: the protocol asks for a chat template and the tokenizer "
                "has none; set chat_template to false for a base model"
            )
        messages = [
            {"role": turn.role, "content": turn.content} for turn in protocol.messages(text)
        ]
        rendered = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return Prompt(cast("str", rendered), special_tokens=False)

    def _encode(self, prompt: Prompt) -> list[int]:
        ids = cast(
            "list[int]",
            self._tokenizer(prompt.text, add_special_tokens=prompt.special_tokens)["input_ids"],
        )
        return ids or [self._start_id()]

    def _start_id(self) -> int:
        """Return the token that stands for "the start of a text"."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if isinstance(token, int):
                return token
        raise ModelError(f"{self._identity.path}: the tokenizer has neither a BOS nor an EOS token")

    def _rows_for(self, tokens: int, bytes_per_token: int) -> int:
        """Return how many rows of ``tokens`` fit into memory; a function of the machine alone."""
        if self._settings.batch_size is not None:
            return self._settings.batch_size
        budget = float(_CPU_BYTES)
        if self._loaded.device.type == "cuda":
            budget = torch.cuda.get_device_properties(self._loaded.device).total_memory * _GPU_SHARE
        return max(1, min(_MAX_ROWS, int(budget / (max(tokens, 1) * bytes_per_token))))

    def _group(self, lengths: Sequence[int], bytes_per_token: int) -> list[tuple[int, ...]]:
        """Return batches of indices, longest first, so that what does not fit fails at once."""
        order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
        groups = []
        while order:
            rows = self._rows_for(lengths[order[0]], bytes_per_token)
            groups.append(tuple(order[:rows]))
            order = order[rows:]
        return groups

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return batches of prompts of like length."""
        lengths = [
            len(self._encode(request.prompt)) + request.max_new_tokens for request in requests
        ]
        return self._group(lengths, self._facts.kv_bytes)

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return one answer a request; all of them run as one batch."""
        rows: list[DecodeRow | None] = []
        for request in requests:
            ids = self._encode(request.prompt)
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
            decode(self._loaded.model, fitting, self._facts.stop_ids, self._text) if fitting else []
        )
        return [
            Generation("", "too_long", ()) if row is None else self._finish(row, next(decoded))
            for row in rows
        ]

    def _text(self, ids: list[int]) -> str:
        return cast("str", self._tokenizer.decode(ids, skip_special_tokens=True))

    def _finish(self, row: DecodeRow, answer: Decoded) -> Generation:
        # Tokenizers that mark words by a leading space drop it from the first word they decode, and
        # that space may be the indentation of a program: decode with a little of the prompt.
        tail = list(row.prompt_ids[-_TAIL:])
        before, text = self._text(tail), self._text(tail + answer.token_ids)
        text = text[len(before) :] if text.startswith(before) else self._text(answer.token_ids)
        cut = _earliest_cut(text, row.stop)
        stopped = answer.stopped or cut is not None
        return Generation(
            text if cut is None else text[:cut],
            "stop" if stopped else "length",
            tuple(answer.token_ids),
        )

    def _split(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a pair, cut where the continuation begins.

        Both are tokenised as one text, because a tokenizer may join across the cut; a token that
        straddles it counts as continuation.
        """
        encoded = self._tokenizer(
            context + continuation, return_offsets_mapping=True, add_special_tokens=True
        )
        ids = cast("list[int]", encoded["input_ids"])
        offsets = cast("list[tuple[int, int]]", encoded["offset_mapping"])
        first = next(
            (place for place, (_, end) in enumerate(offsets) if end > len(context)), len(ids)
        )
        if first == 0:  # nothing in front: the start of a text is the condition
            return [self._start_id()], ids
        return ids[:first], ids[first:]

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        """Return the log-likelihood of every continuation, in nats."""
        split = [self._split(*pair) for pair in pairs]
        scores = self._score(split)
        return [
            None if score is None else Likelihood(sum(score.logprobs), len(score.logprobs))
            for score in scores
        ]

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:
        """Return entropies and log-probabilities of every answer token, EOS included."""
        return self._score([(self._encode(row.prompt), list(row.answer_ids)) for row in rows])

    def _score(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[AnswerScores | None]:
        found: list[AnswerScores | None] = [None] * len(rows)
        fitting = [
            index
            for index, (prompt, answer) in enumerate(rows)
            if len(prompt) + len(answer) <= self._facts.context
        ]
        for index in fitting:
            if not rows[index][1]:
                found[index] = AnswerScores((), ())
        fitting = [index for index in fitting if rows[index][1]]
        # Scored logits are float32, and four tensors of their size live at once.
        lengths = [len(rows[index][0]) + len(rows[index][1]) for index in fitting]
        with float32_head(self._loaded.model):
            for group in self._group(lengths, 16 * self._facts.vocabulary):
                members = [fitting[place] for place in group]
                scores = score_answers(
                    self._loaded.model,
                    [rows[index][0] for index in members],
                    [rows[index][1] for index in members],
                    0,
                )
                for index, score in zip(members, scores, strict=True):
                    found[index] = AnswerScores(
                        tuple(score.entropy.tolist()), tuple(score.logprob.tolist())
                    )
        return found


@backends.register("transformers")
def open_transformers(model: str, settings: BackendSettings) -> TransformersBackend:
    """Load a model folder (or a hub name) for evaluation."""
    return TransformersBackend(model_folder(model), settings)
