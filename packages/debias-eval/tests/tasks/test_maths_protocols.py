"""Named maths protocols: what they send, and the hash that stands beside a score."""

from __future__ import annotations

import hashlib

from debias_eval.grading import grade_answer
from debias_eval.profiles import resolve_protocol
from debias_eval.protocol import Message, Sampling
from debias_eval.tasks.registry import get_task

_SENTENCE = "Final Answer: The final answer is"


def test_minerva_sends_four_worked_examples_as_one_text() -> None:
    chosen = resolve_protocol(get_task("math").protocol(), "minerva-4shot")
    text = chosen.plain_text("What is $1+1$?")
    assert text.startswith("Problem:\nFind the domain of the expression  $\\frac{\\sqrt{x-2}}")
    assert text.endswith("I hope it is correct.\n\nProblem:\nWhat is $1+1$?\n\nSolution:")
    assert text.count(f"\n{_SENTENCE} $") == 4
    assert text.count("\n\nSolution: ") == 4
    # the text that lm-evaluation-harness 0.4.13 builds for this problem, as a fingerprint
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "febdd658ab6ccdcc"
    assert (chosen.stop, chosen.max_new_tokens, chosen.chat_template) == (("Problem:",), 256, False)
    assert (chosen.sampling, chosen.grader) == (Sampling(), "minerva-strict")


def test_minerva_has_a_hash_of_its_own_on_every_task() -> None:
    names = ("math", "math500", "math_jsonl")
    hashes = {resolve_protocol(get_task(name).protocol(), "minerva-4shot").hash for name in names}
    assert len(hashes) == 1
    assert resolve_protocol(get_task("math").protocol(), None).hash not in hashes


def test_minerva_takes_the_answer_from_its_sentence_alone() -> None:
    def correct(gold: str, response: str) -> bool:
        return grade_answer(gold, response, profile="minerva-strict").correct

    assert correct("16", f"so 16.\n{_SENTENCE} $16$. I hope it is correct.")
    assert correct(r"\frac{1}{2}", f"{_SENTENCE} $\\dfrac12$. I hope it is correct.")
    assert correct(r"2\pi", f"{_SENTENCE} $2\\pi \\text{{ cm}}$. I hope it is correct.")
    assert correct("1,2", f"{_SENTENCE} $1,3$. I hope it is correct.")  # parse_latex reads 1
    assert correct("16", f"{_SENTENCE} $16$. I hope it is correct.\n{_SENTENCE} $17$. I hope")
    assert not correct("16", r"so it is $\boxed{16}$.")
    assert not correct("16", f"{_SENTENCE} $17$. I hope it is correct.")
    assert not correct("01", f"{_SENTENCE} $0,1$. I hope it is correct.")


def test_qwen_is_its_chat_prompt_greedy_with_the_models_own_stop_ids() -> None:
    chosen = resolve_protocol(get_task("math500").protocol(), "qwen2.5-math-cot")
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    assert chosen.messages("1+1?") == [Message("system", system), Message("user", "1+1?")]
    assert chosen.chat_template
    assert chosen.sampling == Sampling(n=1, temperature=0.0, top_p=1.0)
    assert (chosen.max_new_tokens, chosen.stop, chosen.shots) == (2048, (), ())
    assert chosen.grader == "qwen"
