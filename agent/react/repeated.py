"""A reply that goes round: `[5000, 3000, 2000, 5000, 3000, 2000, ...` until the token limit cuts it off."""

_TIMES = 8
_LONGEST = 200
"""Characters of what is repeated."""

AGAINST_REPEATS = {"frequency_penalty": 0.2}
"""What makes the same request end (a parameter of OpenAI's API, an option of Ollama's)."""


def goes_round(text: str) -> bool:
    """Say whether `text` ends in the same characters again and again."""
    return any(text.endswith(text[-size:] * _TIMES) for size in range(1, min(_LONGEST, len(text) // _TIMES) + 1))
