"""The ``vllm`` back end: a local model in vLLM's engine, in this process.

Greedy answers are those of the ``transformers`` back end as far as two engines agree in the last
bits. Sampled ones come from vLLM's own random stream, seeded request by request, so they do not
depend on what else is in a batch. Likelihoods are the engine's log-probabilities of a prompt's
tokens. Entropies are refused: they need the whole distribution, which the engine hands out as one
Python object a token of the vocabulary.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING

from debias_eval.backends.base import (
    AnswerRow,
    AnswerScores,
    BackendSettings,
    FinishReason,
    Generation,
    GenerationRequest,
    Likelihood,
    ModelIdentity,
    Prompt,
)
from debias_eval.backends.identity import FolderState, model_identity
from debias_eval.backends.options import read_options
from debias_eval.backends.registry import backends
from debias_eval.errors import BackendError, InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vllm import LLM, RequestOutput, SamplingParams

    from debias_eval.backends.tokenizing import TextCodec
    from debias_eval.protocol import Protocol

__all__ = ["VllmBackend", "VllmOptions"]

_ROWS = 512  # requests between two entries in the log; the engine makes its own batches of them


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """Options of the ``vllm`` back end, passed to the engine as they are.

    Attributes:
        tensor_parallel: GPUs that one copy of the model is spread over.
        data_parallel: Copies of the model.
        gpu_memory: Share of the card that weights and cache may take; None is the engine's own.
        max_context: Longest prompt and answer together; None is the model's.
        eager: Whether CUDA graphs and compiling are left out: starts sooner, runs slower.
    """

    tensor_parallel: int = 1
    data_parallel: int = 1
    gpu_memory: float | None = None
    max_context: int | None = None
    eager: bool = False

    def __post_init__(self) -> None:
        if min(self.tensor_parallel, self.data_parallel) < 1:
            raise ValueError("tensor_parallel and data_parallel are 1 or more")


class VllmBackend:
    """A causal language model in vLLM, loaded when it is first asked.

    Args:
        folder: A model folder in the hub's layout.
        settings: Dtype and rows at a time; the device is the engine's to choose.
        options: Of the engine.
    """

    name = "vllm"

    def __init__(self, folder: Path, settings: BackendSettings, options: VllmOptions) -> None:
        self._folder = folder
        self._settings = settings
        self._options = options
        self._files = FolderState(folder)
        self._identity = model_identity(folder)

    @cached_property
    def _engine(self) -> LLM:
        from vllm import LLM  # noqa: PLC0415 - takes seconds, and is an extra

        self._files.check_unchanged()
        options = self._options
        more: dict[str, object] = {}
        if options.gpu_memory is not None:
            more["gpu_memory_utilization"] = options.gpu_memory
        if options.data_parallel > 1:
            more["data_parallel_size"] = options.data_parallel
        try:
            return LLM(
                model=str(self._folder),
                tokenizer=str(self._folder),
                dtype=self._dtype(),
                tensor_parallel_size=options.tensor_parallel,
                max_model_len=options.max_context,
                enforce_eager=options.eager,
                trust_remote_code=False,
                seed=0,
                **more,
            )
        except (ValueError, RuntimeError, OSError, AssertionError) as error:
            raise BackendError(f"{self._folder}: vLLM cannot run it: {error}") from error

    def _dtype(self) -> str:
        from vllm.platforms import current_platform  # noqa: PLC0415 - as above

        auto = self._settings.dtype == "auto"
        return "float32" if auto and current_platform.is_cpu() else self._settings.dtype

    @cached_property
    def _codec(self) -> TextCodec:
        from debias_eval.backends.tokenizing import TextCodec  # noqa: PLC0415 - with the engine

        return TextCodec(self._engine.get_tokenizer(), self._identity.path)

    @property
    def context_length(self) -> int:
        """Return how many tokens prompt and answer may have together."""
        return int(self._engine.llm_engine.model_config.max_model_len)

    @property
    def variant(self) -> str:
        """Return the dtype that was asked for and the longest context."""
        return f"{self._settings.dtype}/{self._options.max_context or 'model'}"

    def identity(self) -> ModelIdentity:
        """Return the content hashes of the model folder."""
        return self._identity

    def render(self, protocol: Protocol, text: str) -> Prompt:
        """Return the prompt that ``protocol`` makes of an item's text."""
        return self._codec.render(protocol, text)

    def batches(self, requests: Sequence[GenerationRequest]) -> list[tuple[int, ...]]:
        """Return chunks of the list; the engine makes its own batches of each."""
        size = self._settings.batch_size or _ROWS
        places = range(len(requests))
        return [tuple(places[start : start + size]) for start in range(0, len(requests), size)]

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Generation]:
        """Return one answer a request."""
        prompts = [self._codec.encode(request.prompt) for request in requests]
        rooms = [self.context_length - len(ids) for ids in prompts]
        fitting = [index for index, room in enumerate(rooms) if room > 0]
        found = [Generation("", "too_long", ())] * len(requests)
        outputs = self._run(
            [prompts[index] for index in fitting],
            [_sampling(requests[index], rooms[index]) for index in fitting],
        )
        for index, output in zip(fitting, outputs, strict=True):
            answer = output.outputs[0]
            ids = tuple(answer.token_ids)
            text, cut = self._codec.answer_text(prompts[index], ids, requests[index].stop)
            reason: FinishReason = "stop" if cut or answer.finish_reason == "stop" else "length"
            found[index] = Generation(text, reason, ids)
        return found

    def _run(
        self, prompts: Sequence[list[int]], params: Sequence[SamplingParams]
    ) -> list[RequestOutput]:
        if not prompts:
            return []
        outputs: list[RequestOutput] = self._engine.generate(
            [{"prompt_token_ids": ids} for ids in prompts], list(params), use_tqdm=False
        )
        return outputs

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[Likelihood | None]:
        """Return the log-likelihood of every continuation, in nats.

        None also where a pair fills the context to the last token: the engine insists on room for
        one token more than it is asked to score.
        """
        from vllm import SamplingParams  # noqa: PLC0415 - as above

        split = [self._codec.split(*pair) for pair in pairs]
        fitting = [
            index
            for index, (before, after) in enumerate(split)
            if len(before) + len(after) < self.context_length
        ]
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        rows = [[*split[index][0], *split[index][1]] for index in fitting]
        outputs = self._run(rows, [params] * len(rows))
        found: list[Likelihood | None] = [None] * len(pairs)
        for index, row, output in zip(fitting, rows, outputs, strict=True):
            start = len(split[index][0])
            known = output.prompt_logprobs
            if known is None:
                raise BackendError("vLLM returned no log-probabilities of a prompt")
            places = range(start, len(row))
            total = sum(known[place][row[place]].logprob for place in places)
            found[index] = Likelihood(float(total), len(row) - start)
        return found

    def answer_entropies(self, rows: Sequence[AnswerRow]) -> list[AnswerScores | None]:  # noqa: ARG002
        """Refuse: entropies need the whole distribution."""
        raise BackendError(
            "the vllm back end has no entropies: they need the whole distribution of every token; "
            "use the transformers back end for this task"
        )


def _sampling(request: GenerationRequest, room: int) -> SamplingParams:
    from vllm import SamplingParams  # noqa: PLC0415 - as above

    hot = request.temperature > 0
    return SamplingParams(
        max_tokens=min(request.max_new_tokens, room),
        temperature=request.temperature,
        top_p=request.top_p if hot else 1.0,
        seed=request.stream_seed if hot else None,
        stop=list(request.stop) or None,
    )


@backends.register("vllm")
def open_vllm(model: str, settings: BackendSettings) -> VllmBackend:
    """Return a model folder (or a hub name) in vLLM.

    Raises:
        MissingError: vLLM is not installed, or there is no such model.
        InputError: A device was named.
    """
    options = read_options(VllmOptions, settings, backend="vllm")
    if find_spec("vllm") is None:
        raise MissingError(
            "the vllm back end needs vllm, in an environment of its own (it pins torch); "
            "pip install 'debias-eval[vllm]'"
        )
    if settings.device != "auto":
        raise InputError(
            f"device {settings.device!r}: vLLM takes what it sees; set CUDA_VISIBLE_DEVICES instead"
        )
    from debias_eval.backends.loading import model_folder  # noqa: PLC0415 - loads torch

    # the engine's processes log too, and stdout is for results
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    return VllmBackend(model_folder(model), settings, options)
