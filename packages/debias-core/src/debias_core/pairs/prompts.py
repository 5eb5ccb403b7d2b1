"""From a bare problem text to the token ids that the model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debias_core.config import PromptFormat
from debias_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, prompt: str, prompt_format: PromptFormat
) -> list[int]:
    """Returns the token ids of a prompt, with the special tokens that the model expects.

    Raises:
        ConfigError: a chat template is asked for and the tokenizer has none.
        DataError: the prompt has no tokens.
    """
    # not str.format: a problem text may hold braces, LaTeX mostly does
    text = prompt_format.template.replace("{prompt}", prompt)
    if prompt_format.chat_template:
        if not tokenizer.chat_template:
            raise ConfigError(
                "prompt.chat_template is on, but this tokenizer has no chat template; base models "
                "are shown plain prompts (prompt.chat_template: false)"
            )
        messages = [{"role": "user", "content": text}]
        if prompt_format.system is not None:
            messages.insert(0, {"role": "system", "content": prompt_format.system})
        text = str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        )
    ids = tokenizer(text, add_special_tokens=not prompt_format.chat_template)["input_ids"]
    if not ids:
        raise DataError(f"the prompt {prompt!r} has no tokens")
    return [int(i) for i in ids]
