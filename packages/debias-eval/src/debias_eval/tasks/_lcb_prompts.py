"""What a model is shown of a LiveCodeBench question: a request, or headings and a begun answer."""

from __future__ import annotations

__all__ = ["begun_answer", "question"]

# One worked example for each of the two kinds of questions.
_FUNCTION_EXAMPLE = """\
### Question
You are given a list of integers nums and an integer limit. Return the number of elements of nums
that are greater than limit.

Example 1:

Input: nums = [4, 9, 1], limit = 3
Output: 2

### Starter Code
class Solution:
    def countAbove(self, nums: List[int], limit: int) -> int:

### Answer

class Solution:
    def countAbove(self, nums: List[int], limit: int) -> int:
        return sum(number > limit for number in nums)

"""
_INPUT_EXAMPLE = """\
### Question
You are given N integers. Print their sum.

Input

The input is given from Standard Input in the following format:
N
A_1 A_2 ... A_N

Output

Print the sum.

Sample Input 1

3
4 9 1

Sample Output 1

14

### Answer

n = int(input())
numbers = list(map(int, input().split()))
print(sum(numbers))

"""


def question(content: str, starter_code: str) -> str:
    """Return what a chat model is asked."""
    if starter_code:
        ask = (
            "You will use the following starter code to write the solution to the problem and "
            f"enclose your code within delimiters.\n```python\n{starter_code}\n```"
        )
    else:
        ask = (
            "Read the inputs from stdin solve the problem and write the answer to stdout (do not "
            "directly test on the sample inputs). Enclose your code within delimiters as follows. "
            "Ensure that when the python program runs, it reads the inputs, runs the algorithm "
            "and writes output to STDOUT.\n```python\n# YOUR CODE HERE\n```"
        )
    return (
        f"### Question:\n{content}\n\n### Format: {ask}\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )


def begun_answer(content: str, starter_code: str) -> str:
    """Return what a base model continues."""
    asked = f"### Question\n{content}\n\n"
    if not starter_code:
        return f"{_INPUT_EXAMPLE}{asked}### Answer\n\n"
    starter = f"### Starter Code\n{starter_code}\n\n"
    return f"{_FUNCTION_EXAMPLE}{asked}{starter}### Answer\n\n"
