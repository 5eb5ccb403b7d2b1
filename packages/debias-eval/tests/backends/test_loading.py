"""Which model folders are refused, and that a model is known by its content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from debias_eval.backends.base import BackendSettings, GenerationRequest, Prompt
from debias_eval.backends.identity import model_identity
from debias_eval.backends.loading import model_folder
from debias_eval.backends.registry import open_backend
from debias_eval.errors import MissingError, ModelError, UnknownNameError
from debias_eval.protocol import Protocol


@pytest.fixture
def copy(tiny_llama: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(tiny_llama, folder)
    return folder


def _ask(folder: Path) -> None:
    backend = open_backend("transformers", folder, BackendSettings(device="cpu"))
    backend.generate([GenerationRequest("k#0", Prompt("a"), 2)])


def test_pickled_weights_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*safetensors"):
        model_folder(str(copy))


def test_a_missing_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="give the path of a folder"):
        model_folder(str(tmp_path / "nothing"))
    with pytest.raises(MissingError, match=r"config\.json"):
        model_folder(str(tmp_path))


def test_a_tensor_that_is_not_finite_is_named(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        _ask(copy)


def test_a_missing_tensor_is_not_filled_with_noise(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack model\.layers\.1\.mlp\.up_proj"):
        _ask(copy)


def test_a_truncated_file_is_named(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=str(copy)):
        _ask(copy)


def test_identity_follows_the_content_not_the_path(copy: Path, tiny_llama: Path) -> None:
    before = model_identity(copy)
    assert before.weights_sha256 == model_identity(tiny_llama).weights_sha256
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + torch.ones(())
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    after = model_identity(copy)
    assert after.weights_sha256 != before.weights_sha256
    assert after.tokenizer_sha256 == before.tokenizer_sha256


def test_weights_that_change_between_hash_and_load_are_refused(copy: Path) -> None:
    backend = open_backend("transformers", copy, BackendSettings(device="cpu"))
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] + torch.ones(())
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.safetensors changed while"):
        backend.generate([GenerationRequest("k#0", Prompt("a"), 2)])


def test_a_chat_template_is_never_guessed(tiny_llama: Path, tiny_qwen: Path) -> None:
    protocol = Protocol(chat_template=True, system="Be brief.")
    without = open_backend("transformers", tiny_llama, BackendSettings(device="cpu"))
    with pytest.raises(ModelError, match="chat_template to false"):
        without.render(protocol, "Hello")
    prompt = open_backend("transformers", tiny_qwen, BackendSettings(device="cpu")).render(
        protocol, "Hello"
    )
    assert prompt.text == "<system>Be brief.\n<user>Hello\n<assistant>"
    assert not prompt.special_tokens


def test_an_unknown_back_end_names_the_nearest(tiny_llama: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'transformers'"):
        open_backend("transfomers", tiny_llama)
