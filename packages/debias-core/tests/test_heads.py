"""Terms from hidden states are those of the model's own logits, for every family of models."""

from __future__ import annotations

import copy
import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from debias_core.losses.terms import Terms
from debias_core.scoring.answers import ScoredRow, Wanted, score
from debias_core.scoring.entropy import mean_per_sample, token_entropy, token_kl, token_logprob
from debias_core.scoring.heads import find_head, unwrap
from debias_core.scoring.reference import FrozenModel

V = 61
SIZES = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.5,
    "eos_token_id": 1,
    "bos_token_id": 2,
    "pad_token_id": 0,
}
WIDE = SIZES | {"head_dim": 8}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2, tied": ("Qwen2", SIZES | {"tie_word_embeddings": True}),
    "qwen2, apart": ("Qwen2", SIZES | {"tie_word_embeddings": False}),
    "qwen3": ("Qwen3", WIDE),
    "llama": ("Llama", SIZES),
    "gemma": ("Gemma", WIDE),
    "gemma2": ("Gemma2", WIDE | {"final_logit_softcapping": 3.0, "query_pre_attn_scalar": 8}),
    "gemma3": ("Gemma3", WIDE | {"final_logit_softcapping": 2.0, "query_pre_attn_scalar": 8}),
    "mistral": ("Mistral", WIDE),
    "phi, with a bias": ("Phi", SIZES),
    "phi3": ("Phi3", SIZES),
    "gpt2, tied": ("GPT2", SIZES | {"n_inner": 48}),
    "gpt_neox": ("GPTNeoX", SIZES),
    "cohere, multiplied": ("Cohere", SIZES | {"logit_scale": 0.25}),
    "granite, divided": ("Granite", SIZES | {"logits_scaling": 3.0}),
}

ROWS = [
    ScoredRow([5, 9, 11], [20, 21, 1]),
    ScoredRow([7], [1]),
    ScoredRow([4, 8, 15, 16, 23, 42], [3, 3, 1, 7, 1]),
]


def build(family: str) -> PreTrainedModel:
    """A random model of a family in float64, with biases that are not 0.

    Gemma 2 is in float32: it has eager attention only, and that of padding is NaN in float64.
    """
    name, settings = FAMILIES[family]
    config_name = {"Gemma3": "Gemma3TextConfig"}.get(name, f"{name}Config")
    model_name = {"GPT2": "GPT2LMHeadModel"}.get(name, f"{name}ForCausalLM")
    torch.manual_seed(0)
    config = getattr(transformers, config_name)(**settings)
    model = getattr(transformers, model_name)(config).eval()
    model = model if name == "Gemma2" else model.double()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.endswith("bias"):
                parameter.normal_(std=0.5)
    return model


def other(model: PreTrainedModel) -> FrozenModel:
    changed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1.05)
    return FrozenModel(changed)


def by_definition(model: nn.Module, reference: FrozenModel, *, temperature: float) -> Terms:
    """The terms of ROWS from the logits of the models' own forward passes, a row at a time."""
    answers = [row.answer for row in ROWS]
    sample_N = torch.arange(len(ROWS)).repeat_interleave(torch.tensor([*map(len, answers)]))

    def logits_NV(of: nn.Module) -> Tensor:  # noqa: N802 - the shape
        ids = [torch.tensor([[*row.prompt, *row.answer]]) for row in ROWS]
        every = [of(input_ids=row, use_cache=False).logits[0] for row in ids]
        return torch.cat(
            [z[-1 - len(answer) : -1] for z, answer in zip(every, answers, strict=True)]
        )

    z_NV = logits_NV(model)
    with torch.no_grad(), reference.using() as frozen:
        r_NV = logits_NV(frozen)

    def mean(values_N: Tensor) -> Tensor:
        return mean_per_sample(values_N, sample_N, len(ROWS))

    logprob_N = token_logprob(z_NV, torch.tensor([token for answer in answers for token in answer]))
    return Terms(
        entropy=mean(token_entropy(z_NV, temperature=temperature)),
        kl=mean(token_kl(z_NV, r_NV)),
        reference_entropy=mean(token_entropy(r_NV, temperature=temperature)),
        logprob=torch.stack([logprob_N[sample_N == row].sum() for row in range(len(ROWS))]),
    )


WEIGHTS = {"entropy": 1.0, "kl": -0.7, "logprob": 0.3}


def gradients(model: nn.Module, terms: Terms) -> dict[str, Tensor]:
    """The gradient of a sum in which every row and term has a weight of its own."""
    model.zero_grad()
    rows = torch.arange(1, len(ROWS) + 1, dtype=torch.float64)
    present = terms.present()
    torch.stack([(present[name] * rows).sum() * w for name, w in WEIGHTS.items()]).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def check(model: nn.Module, reference: FrozenModel, *, temperature: float = 1.0) -> None:
    expected = by_definition(model, reference, temperature=temperature)
    expected_grads = gradients(model, expected)
    found = score(
        model, ROWS, reference=reference, temperature=temperature, wanted=Wanted(logprob=True)
    )
    found_grads = gradients(model, found)
    exact = expected.entropy.dtype == torch.float64
    within = 1e-9 if exact else 1e-5
    for name, values in expected.present().items():
        torch.testing.assert_close(found.present()[name], values, rtol=within, atol=within)
    assert found_grads.keys() == expected_grads.keys()
    whole = torch.cat([grad.flatten() for grad in expected_grads.values()]).norm()
    assert whole > 0
    for name, grad in expected_grads.items():
        assert (found_grads[name] - grad).norm() <= (1e-7 if exact else 1e-5) * whole, name


@contextmanager
def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    lines: list[str] = []
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="debias_core"):
        yield lines
    lines += [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("family", FAMILIES)
def test_terms_and_gradients_are_those_of_full_logits(
    family: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = build(family)
    with complaints(caplog) as lines:
        head = find_head(model)
    assert not lines
    assert head is not None
    assert head.vocab_size == V
    assert head.tied == ("tied" in family or "gemma" in family or "cohere" in family)
    assert (head.bias is not None) == ("bias" in family)
    check(model, other(model))


@pytest.mark.parametrize("family", ["qwen2, tied", "gemma2"])
def test_a_temperature_is_of_the_entropies_alone(family: str) -> None:
    model = build(family)
    check(model, other(model), temperature=1.7)


def test_a_frozen_matrix_that_the_embedding_shares() -> None:
    model = build("qwen2, tied")
    model.get_input_embeddings().requires_grad_(requires_grad=False)
    check(model, other(model))
    assert model.lm_head.weight.grad is None


def test_a_matrix_with_padded_rows() -> None:
    """Rows that the model's own forward cuts off take no part, and get no gradient."""

    class Padded(Qwen2ForCausalLM):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits[..., : V - 5]
            return output

    torch.manual_seed(0)
    model = Padded(Qwen2Config(**SIZES, tie_word_embeddings=False)).double().eval()
    head = find_head(model)
    assert head is not None
    assert head.vocab_size == V - 5
    check(model, other(model))
    assert not model.lm_head.weight.grad[V - 5 :].any()


def adapted(model: PreTrainedModel, targets: list[str]) -> nn.Module:
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=targets)
    wrapped = peft.get_peft_model(model, settings).eval()
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return wrapped.double()


class AdapterOff:
    """The reference that shares its weights with the model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @contextmanager
    def using(self) -> Iterator[nn.Module]:
        with self._model.disable_adapter():
            yield self._model


def test_an_adapted_model_against_itself_without_the_adapter() -> None:
    model = adapted(build("qwen2, tied"), ["q_proj", "down_proj"])
    head = find_head(model)
    assert head is not None
    assert head.weight is unwrap(model).model.embed_tokens.weight
    check(model, AdapterOff(model))
    found = score(model, ROWS, reference=AdapterOff(model))
    assert found.kl is not None
    assert found.kl.min() > 1e-3, "the adapter must make a difference"


def test_gradient_checkpointing_changes_nothing() -> None:
    model = build("llama")
    reference = other(model)
    model.gradient_checkpointing_enable({"use_reentrant": False})
    for layer in model.model.layers:
        layer.train()  # recomputation is tied to this flag; there is no dropout
    check(model, reference)


def test_bfloat16_autocast_leaves_the_head_in_float32() -> None:
    """The same states, so the difference to bfloat16 logits is that of rounding them."""
    model = build("qwen2, tied").float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = score(model, ROWS, reference=FrozenModel.copy_of(model))
    exact = score(model, ROWS).entropy
    assert found.entropy.dtype == torch.float32
    assert found.kl is not None
    assert found.kl.max() < 1e-6
    torch.testing.assert_close(found.entropy, exact, rtol=0.05, atol=0.05)
    found.entropy.sum().backward()
    assert model.lm_head.weight.grad.isfinite().all()


def lora_on_the_head(model: PreTrainedModel) -> nn.Module:
    return adapted(model, ["lm_head"])


def hooked(model: PreTrainedModel) -> nn.Module:
    model.lm_head.register_forward_hook(lambda layer, args, output: output * 1.5)
    return model


def another_formula(model: PreTrainedModel) -> nn.Module:
    """The model computes what its config does not say."""
    model.config.logits_scaling = 1.01
    return model


def unusable_setting(model: PreTrainedModel) -> nn.Module:
    model.config.logit_scale = "inv_sqrt_d_model"
    return model


def unknown_wrapper(model: PreTrainedModel) -> nn.Module:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, **inputs: Any) -> Any:
            return self.inner(**inputs)

    return Wrapper()


def bypassed(model: PreTrainedModel) -> nn.Module:
    """The model multiplies with the weight and never calls the layer."""

    class Bypassed(Qwen2ForCausalLM):
        def forward(self, *args: Any, logits_to_keep: int = 0, **kwargs: Any) -> Any:
            states = self.model(*args, **kwargs).last_hidden_state[:, -logits_to_keep:]
            return CausalLMOutputWithPast(logits=states @ self.lm_head.weight.T)

    model.__class__ = Bypassed
    return model


@pytest.mark.parametrize(
    ("wrap", "reason"),
    [
        (lora_on_the_head, "not a plain linear one"),
        (hooked, "hooked into its output layer"),
        (another_formula, "not what its config says"),
        (unusable_setting, "logit_scale of its config is 'inv_sqrt_d_model'"),
        (unknown_wrapper, "nor in a wrapper that is known"),
        (bypassed, "does not call its output layer once"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_known_is_scored_with_full_logits(
    wrap: Callable[[PreTrainedModel], nn.Module], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = wrap(build("qwen2, apart"))
    reference = other(build("qwen2, apart"))
    with complaints(caplog) as lines:
        assert find_head(model) is None
        check(model, reference)
    assert len(lines) == 1, "said once, not at every call"
    assert reason in lines[0]


def test_a_reference_with_another_way_to_its_logits() -> None:
    """A bounded reference of an unbounded model: no shared formula, the same result."""
    model = build("gemma2")
    reference = copy.deepcopy(model)
    reference.config.final_logit_softcapping = None
    assert find_head(reference) is not None
    check(model, FrozenModel(reference))


def test_a_reference_that_swaps_the_output_matrix_in_its_context() -> None:
    model = build("qwen2, apart")

    class Swapped:
        @contextmanager
        def using(self) -> Iterator[nn.Module]:
            weight = model.lm_head.weight
            with torch.no_grad():
                now = weight.clone()
                weight.mul_(0.5)
                yield model
                weight.copy_(now)

    with torch.no_grad():
        expected = by_definition(model, Swapped(), temperature=1.0)
        found = score(model, ROWS, reference=Swapped())
    torch.testing.assert_close(found.kl, expected.kl, rtol=1e-9, atol=1e-9)


def test_a_replaced_output_layer_is_looked_at_again() -> None:
    model = build("qwen2, apart")
    assert find_head(model) is find_head(model)
    model.resize_token_embeddings(V + 3)
    head = find_head(model)
    assert head is not None
    assert head.vocab_size == V + 3
    check(model, other(model))


def test_the_layer_is_as_it_was_after_a_failure() -> None:
    model = build("qwen2, apart")
    find_head(model)
    model.model.layers[1].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score(model, ROWS)
    assert "forward" not in vars(model.lm_head)


def test_a_known_head_keeps_no_model_alive() -> None:
    model = build("qwen2, apart")
    score(model, ROWS)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Largest(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.elements = max(self.elements, leaf.numel())
        return result


MANY = 40_000
LONG = [ScoredRow([3, 4], [5] * 60), ScoredRow([6], [7] * 60)]


@pytest.mark.parametrize("divergence", [False, True], ids=["fused", "divergence"])
def test_full_logits_are_never_held(divergence: bool) -> None:
    """120 tokens by 40,000 words: not in the passes, the reference's neither."""
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": MANY, "hidden_size": 16, "tie_word_embeddings": True}
    model = Qwen2ForCausalLM(Qwen2Config(**sizes)).eval()
    model.get_input_embeddings().requires_grad_(requires_grad=False)
    reference = FrozenModel.copy_of(model)
    wanted = Wanted(logprob=True, divergence=divergence)
    with Largest() as largest:
        terms = score(model, LONG, reference=reference, wanted=wanted)
        torch.stack([term.sum() for term in terms.present().values()]).sum().backward()
    if divergence:  # shows that the measure would see them
        assert largest.elements >= 120 * MANY
    else:
        assert largest.elements < 120 * MANY / 3


@pytest.mark.parametrize("find_unused", [False, True])
def test_a_wrapper_sees_the_parameters_of_the_head(tmp_path: Path, find_unused: bool) -> None:
    """Whether or not it looks for unused ones in the graph of what the model returns."""
    model = build("qwen2, tied")
    reference = other(model)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    try:
        wrapped = DistributedDataParallel(model, find_unused_parameters=find_unused)
        for _ in range(2):  # the second pass fails where the first was not reduced to its end
            check(wrapped, reference)
        # Before the group: what frees a group last waits for its threads, and the wrapper would do
        # so while it holds the interpreter's lock, which those threads may be waiting for.
        del wrapped
        gc.collect()
    finally:
        torch.distributed.destroy_process_group()
