"""Keys that stand where they should not: cut out of what is logged and of what is said, whoever put them there.

A caller who sends a key as a model's name, or in a path, would find it in a log, and in the error that repeats it.
"""

from __future__ import annotations

import re

MARKS = (b"sk_", b"sk-", b"AIza", b"AKIA", b"xai-", b"ghp_", b"hf_", b"eyJ", b"earer")
"""One of these is in whatever `KEY` finds; to look for them costs next to nothing."""
KEY = re.compile(
    rb"(prysm_sk_)[\w-]{13,}"  # ours, wherever it begins; up to 12 characters are what everybody may see of one
    rb"|(sk-(?:proj|ant|svcacct)-|gsk_|AIza(?=Sy)|ghp_)[\w-]{12,}"  # no word holds these
    rb"|(?<![A-Za-z0-9_])([gsr]sk_|sk_)[\w-]{12,}"
    rb"|(?<![A-Za-z0-9])(?:"
    rb"(sk-)[\w-]{12,}"  # OpenAI, Anthropic, OpenRouter, Groq, Stripe
    rb"|(AIza)[\w-]{16,}|(AKIA)[A-Z0-9]{12,}|(xai-|ghp_|hf_)[\w-]{16,}"  # Google, AWS, xAI, GitHub, Hugging Face
    rb"|(eyJ)[\w-]{8,}\.[\w-]{8,}[\w.-]*"  # JSON Web Tokens
    rb"|([Bb]earer[ :=]?)[\w.~+/=-]{12,}"
    rb")"
)


def masked(text: bytes) -> bytes:
    """`text` with the secret part of everything that looks like a key replaced by three dots."""
    for mark in MARKS:  # not `any`: a generator costs more than all the looking
        if mark in text:
            return KEY.sub(lambda found: found[found.lastindex or 0] + b"...", text)
    return text


def masked_text(text: str) -> str:
    """The same of a text."""
    return masked(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")
