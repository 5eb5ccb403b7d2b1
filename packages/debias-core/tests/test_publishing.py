"""The model card, and the upload, against a hub that listens on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from debias_core.config import TrainConfig
from debias_core.errors import PublishingError
from debias_core.models.loading import load_model
from debias_core.models.model_card import (
    MeasuredGap,
    ModelCard,
    base_license,
    is_hub_id,
    render_card,
    write_card,
)
from debias_core.models.publishing import Hub, push_to_hub
from debias_core.models.run_card import base_name
from debias_core.training.trainer import DebiasTrainer

CARD = ModelCard(
    name="small | model",
    base_model="owner/base-1.5B",
    base_license="apache-2.0",
    objective="constrained",
    settings={"rho": 20.0, "learning_rate": 1e-5},
    groups=("female", "male"),
    train_pairs=1200,
    dev_pairs=300,
    dev_clusters=250,
    left_out=3,
    seed=7,
    steps=40,
    kept_step=35,
    stop_reason="target",
    looks=9,
    target_gap=0.02,
    reached=True,
    before=MeasuredGap(
        gap=0.177, low=0.174, high=0.18, entropies=(0.1909, 0.0137), kl=0.0, truncated=0.01
    ),
    after=MeasuredGap(
        gap=-0.004, low=-0.011, high=0.003, entropies=(0.02, 0.024), kl=0.0312, truncated=0.0
    ),
    versions={"torch": "2.13.0"},
)


def front_matter(text: str) -> dict[str, object]:
    lines = text.split("---\n")[1].splitlines()
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in lines)}


def test_a_card_says_what_was_trained_and_measured() -> None:
    text = render_card(CARD)
    assert front_matter(text) == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": "owner/base-1.5B",
        "base_model_relation": "finetune",
        "license": "apache-2.0",
        "tags": ["debias", "entropy-gap", "fairness", "objective:constrained"],
    }
    for line in (
        "# small \\| model",
        "| settings | rho=20.0, learning_rate=1e-05 |",
        "| training pairs | 1,200 |",
        "| held-out pairs | 300 from 250 clusters |",
        "| pairs left out, too long for the context | 3 |",
        "| steps | 40; these are the weights after step 35 |",
        "| seed | 7 |",
        "| gap, female minus male, nats [95%] | +0.1770 [+0.1740, +0.1800] | "
        "-0.0040 [-0.0110, +0.0030] |",
        "| KL to the base model, nats per token | 0.0000 | 0.0312 |",
        "The target, the whole interval inside ±0.02 nats, was reached.",
    ):
        assert line in text.splitlines(), line
    assert "chosen among 9 looks" in text


def test_the_hub_reads_the_card(tmp_path: Path) -> None:
    card = huggingface_hub.ModelCard.load(write_card(tmp_path, CARD))
    assert card.data.base_model == "owner/base-1.5B"
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "transformers"
    assert base_license(tmp_path) == "apache-2.0"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_card_claims_no_more_than_it_knows() -> None:
    text = render_card(
        replace(CARD, base_model="/data/my model", base_license=None, reached=False, adapter=True)
    )
    fields = front_matter(text)
    assert fields["library_name"] == "peft"
    assert not {"base_model", "license"} & set(fields)
    assert "was **not** reached" in text
    three = replace(
        CARD,
        groups=("a", "b", "c"),
        before=replace(CARD.before, entropies=(1.0, 2.0, 3.0)),
        after=replace(CARD.after, entropies=(1.0, 2.0, 3.0)),
    )
    assert "| gap, widest to mean, nats [95%] |" in render_card(three)
    assert "is marked a, b or c." in render_card(three)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\n---\n# x", "mit"),
        ("---\ntags: [a]\nlicense: 'apache-2.0'\n---\n", "apache-2.0"),
        ("---\ntags: [a]\n---\nlicense: mit\n", None),
        ("# no front matter\nlicense: mit\n", None),
        ("", None),
    ],
)
def test_the_licence_of_the_base_model(text: str, expected: str | None, tmp_path: Path) -> None:
    assert base_license(tmp_path) is None
    (tmp_path / "README.md").write_text(text)
    assert base_license(tmp_path) == expected


def test_what_can_be_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("owner/base").mkdir(parents=True)
    assert is_hub_id("gpt2")
    assert is_hub_id("Qwen/Qwen2.5-0.5B")
    for name in ("owner/base", "/models/x", "./x", "a/b/c", "", "two words"):
        assert not is_hub_id(name), name


class FakeHub:
    """Speaks as much of the hub's protocol as an upload of small files needs."""

    def __init__(self) -> None:
        self.repos: dict[str, bool] = {}  # private?
        self.files: dict[str, bytes] = {}
        self.broken = False
        self.tokens: set[str | None] = set()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        path = path.partition("?")[0]
        if self.broken:
            return 403, {"error": "you may not write here"}
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            if name in self.repos:
                return 409, {"error": "it is there already", "url": f"{self.url}/{name}"}
            self.repos[name] = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            return 200, {"url": f"{self.url}/{name}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]
            return 200, {"files": modes}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.files[line["value"]["path"]] = content
            oid = "0" * 40
            name = path.split("/commit/")[0].removeprefix("/api/models/")
            return 200, {"commitOid": oid, "commitUrl": f"{self.url}/{name}/commit/{oid}"}
        name = path.removeprefix("/api/models/").partition("/revision/")[0]
        if method == "GET" and name in self.repos:
            return 200, {"id": name, "private": self.repos[name], "siblings": [], "tags": []}
        return 404, {"error": f"nothing at {path}"}

    url = ""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.tokens.add(self.headers.get("Authorization"))
            status, content = fake.answer(self.command, self.path, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_HEAD = respond  # noqa: N815 - the names that http.server calls

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "notes.log").write_text("private")
    write_card(path, CARD)
    return path


def test_an_upload_is_one_private_repository(hub: FakeHub, folder: Path) -> None:
    url = push_to_hub(folder, "me/model", hub=Hub(hub.url, "hf_secret"))
    assert url == f"{hub.url}/me/model/commit/{'0' * 40}"
    assert hub.repos == {"me/model": True}
    assert set(hub.files) == {"README.md", "config.json", "model.safetensors"}
    assert hub.files["model.safetensors"] == b"weights"
    assert hub.tokens == {"Bearer hf_secret"}


def test_a_public_repository_is_not_written_to_by_accident(hub: FakeHub, folder: Path) -> None:
    hub.repos["me/model"] = False
    with pytest.raises(PublishingError, match="is public; nothing was uploaded"):
        push_to_hub(folder, "me/model", hub=Hub(hub.url, "t"))
    assert not hub.files
    push_to_hub(folder, "me/model", private=False, hub=Hub(hub.url, "t"))
    assert hub.files


def test_a_refusal_of_the_hub_is_passed_on(hub: FakeHub, folder: Path) -> None:
    hub.broken = True
    with pytest.raises(
        PublishingError, match=r"(?s)was not uploaded to me/model at http.*403.*token"
    ):
        push_to_hub(folder, "me/model", hub=Hub(hub.url, "t"))


def test_what_is_no_whole_model_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PublishingError, match="HF_HUB_OFFLINE is set; unset it"):
        push_to_hub(folder, "me/model")
    with pytest.raises(PublishingError, match="is no folder"):
        push_to_hub(tmp_path / "nowhere", "me/model")
    (folder / "README.md").unlink()
    with pytest.raises(PublishingError, match=r"holds no README.md; `fit\(out=...\)` writes"):
        push_to_hub(folder, "me/model")
    (folder / "optimizer.pt").write_bytes(b"")
    with pytest.raises(PublishingError, match="pickled weights are never published"):
        push_to_hub(folder, "me/model")


def test_a_run_writes_its_own_card(
    tiny_model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    make_rows: Callable[..., list[dict[str, object]]],
    tmp_path: Path,
) -> None:
    base = tmp_path / "base-model"
    base.mkdir()
    (base / "README.md").write_text("---\nlicense: mit\n---\n")
    tiny_model.config._name_or_path = str(base)
    config = TrainConfig(
        max_steps=2, effective_batch_size=8, max_new_tokens=4, eval_every=1, seed=3, target_gap=50
    )
    train, dev = make_rows(12), make_rows(8, prefix="d")
    train[0]["prompt"] = " ".join(["w1"] * 300)
    trainer = DebiasTrainer(tiny_model.float(), tokenizer, config)
    result = trainer.fit(train, dev, out=tmp_path / "model")
    text = (tmp_path / "model" / "README.md").read_text()
    assert front_matter(text)["license"] == "mit"
    assert str(tmp_path) not in text, "a path says where somebody works"
    before, after = result.evaluations[0].gap, result.kept.gap
    for part in (
        "# base-model, trained with constrained",
        "| training pairs | 11 |",
        "| held-out pairs | 8 from 8 clusters |",
        "| pairs left out, too long for the context | 1 |",
        "| seed | 3 |",
        f"| {before.gap:+.4f} [{before.low:+.4f}, {before.high:+.4f}] "
        f"| {after.gap:+.4f} [{after.low:+.4f}, {after.high:+.4f}] |",
        "was reached",
    ):
        assert part in text, part
    load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("gpt2", "gpt2"),
        ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("/x/hub/models--Qwen--Qwen2.5-0.5B/snapshots/abc123", "Qwen/Qwen2.5-0.5B"),
        ("/data/models/mine", "mine"),
        ("", "a model"),
    ],
)
def test_how_a_base_model_is_called(source: str, name: str) -> None:
    assert base_name(source) == name
