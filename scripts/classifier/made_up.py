"""Prompts made up for the fit, so that no single source teaches what "several tasks in one" looks like.

Two kinds: prompts of the training rows joined by the words with which people join requests, and questions that need
two lookups and a comparison, filled from lists. Written from knowledge of how people ask; no row is copied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


COMPARE = _lines(
    """
    Which is {er}, {A} or {B}?
    Which {noun} is {er}, {A} or {B}?
    Which {noun} was {done} first, {A} or {B}?
    Who is {er}, {A} or {B}?
    Who was {done} first, {A} or {B}?
    Is {A} {er} than {B}?
    Are {A} and {B} both {noun}s?
    Are both {A} and {B} {noun}s?
    Were {A} and {B} from the same {noun}?
    Do {A} and {B} have the same {noun}?
    Is {A} or {B} {er}?
    Did {A} and {B} both work as a {noun}?
    Are {A} and {B} located in the same {noun}?
    Was {A} {done} before {B}?
    What do {A} and {B} have in common?
    What {noun} do {A} and {B} share?
    Which {noun} did both {A} and {B} belong to?
    Between {A} and {B}, which is {er}?
    {A} and {B} are both what kind of {noun}?
    {A} and {B} belong to which {noun}?
    {A} and {B} are both known {noun}s. Which of them is {er}?
    Of {A} and {B}, who was {done} {adv}?
    Which {noun} has more {noun}s, {A} or {B}?
    Have {A} and {B} ever been {done} together?
    Compare {A} and {B}: which one is the {er} {noun}?
    What are {A} and {B} both known for?
    In which {noun} were {A} and {B} both {done}?
    What nationality are {A} and {B}?
    Who has won more {noun}s, {A} or {B}?
    """
)
COMBINE = _lines(
    """
    What is the difference in {meas} between {A} and {B}, and between {B} and {C}?
    What is the ratio of the {meas} of {A} to the {meas} of {B} and of {C}?
    What is the combined {meas} of {A}, {B} and {C}?
    What is the average {meas} of {A}, {B}, and {C}?
    If {A} grew by {n}% and {B} shrank by {m}%, which would have the larger {meas}?
    If the {meas} of {A} doubled and the {meas} of {B} fell by {m}%, which of them would be the smallest?
    Which of {A}, {B} and {C} has the greatest {meas}, and how much more than the smallest?
    Suppose {A} increases by {n}%, {B} decreases by {m}% and {C} rises by {n}%. Which is then the largest?
    After {A} loses {n}% of its {meas} and {B} gains {m}%, what is the sum of the two?
    How many times larger is the {meas} of {A} than that of {B} plus {C}?
    Find the smallest {meas} among {A}, {B}, {C} and {D}.
    Compute the total {meas} of {A} and {B} after {A} expands by {n}%.
    """
)
SPOKEN = _lines(
    """
    play {A} by {B}
    play something by {A} on my phone
    put {A} in my evening playlist
    add this {noun} to my list
    i want to hear {A}
    i'd like to book a table for {n} near {A}
    i need a room in {A} for {n} nights
    can you reserve a seat at {A} for two
    book me a ticket to {A}
    what is the weather in {A}
    what's the forecast for {A} tomorrow
    will it rain in {A} at {n} pm
    is it going to be warm in {A}
    how far is {A} from here
    find a {noun} called {A}
    look for the {noun} {A}
    search for {A}
    show me the schedule of {A}
    when does {A} open
    where can i see {A}
    which {noun}s are near {A}
    list the flights from {A} to {B}
    show me flights to {A} on monday
    how much is a ticket from {A} to {B}
    what airlines fly to {A}
    set an alarm for {n}
    remind me to call {A} at {n}
    turn off the lights in the kitchen
    rate this {noun} {n} out of 100
    i rate {A} {n} stars
    give {A} five stars
    send a message to {A}
    call {A}
    tell me about {A}
    what time is it in {A}
    read me the news
    """
)
"""Single requests as people speak them to an assistant."""
FILL = {
    slot: words.split()
    for slot, words in {
        "er": "older younger larger smaller taller higher longer deeper newer richer faster heavier closer",
        "noun": (
            "film band city river author company country magazine mountain actor school museum game "
            "plant airport director state university album bridge"
        ),
        "done": "born founded released built opened published established elected formed",
        "adv": "first earlier later",
        "meas": "height population area length depth weight speed size",
    }.items()
}
NAMES = _lines(
    """
    Lake Baikal, Marie Curie, Nokia, Iron Maiden, The Hague, Tokyo Tower, Brazil,
    Mount Fuji, Vogue, Toyota, Agatha Christie, Steven Spielberg, Stanford University, Danube River,
    Sweden, Casablanca, Blade Runner, Oslo, Al Pacino, Ella Fitzgerald, Golden Gate Bridge,
    Lake Victoria, Kenya, Portugal, Johann Bach, National Geographic, Monopoly, Rose,
    Siemens, New Zealand, Great Wall, Miles Davis, Frida Kahlo, Gobi Desert, K2,
    Big Ben, Red Sea, Queen, Heathrow Airport, Harvard Law School
    """.replace(", ", "\n").replace(",\n", "\n")
)
_NAMED = re.compile(r"(?<=[a-z] )[A-Z][\w'’]{3,}(?: (?:of |the )?[A-Z][\w'’]+)*")
_ASKS = re.compile(
    r"(?:what|who|when|where|which|why|how|is|are|was|were|do|does|did|write|find|explain|list|describe|create|give|"
    r"tell|show|compute|translate|summarize|suggest|make|name|draft|implement)\b",
    re.IGNORECASE,
)
_FEWEST, _MOST = 3, 40


def compounds(prompts: Sequence[str], count: int, rnd: Random) -> list[str]:
    """Return `count` compound prompts: joined from `prompts` or from spoken requests, or filled from templates."""
    names = sorted({name for prompt in prompts for name in _NAMED.findall(prompt)}) + NAMES * 3
    pool = [one.strip() for one in prompts if _FEWEST <= len(one.split()) <= _MOST]
    pool = [one for one in pool if "\n" not in one and _ASKS.match(one)] or [f"What is {name}?" for name in NAMES]
    third = count // 3
    joined = [_joined(pool, rnd) for _ in range(third)]
    said = [_said([_filled(SPOKEN, NAMES, rnd) for _ in range(rnd.choice((2, 2, 3)))], rnd) for _ in range(third)]
    return joined + said + [_filled(COMPARE if at % 2 else COMBINE, names, rnd) for at in range(count - 2 * third)]


def singles(count: int, rnd: Random) -> list[str]:
    """Return `count` single requests as people speak them to an assistant: not compound."""
    return [_filled(SPOKEN, NAMES, rnd).lower() for _ in range(count)]


def _said(parts: Sequence[str], rnd: Random) -> str:
    last = rnd.choice((" and ", " and then ", " and also "))
    return (rnd.choice((" , ", ", ")).join(parts[:-1]) + last + parts[-1]).lower()


def _joined(pool: Sequence[str], rnd: Random) -> str:
    parts = rnd.sample(pool, min(len(pool), rnd.choice((2, 2, 3))))
    bare = [part.rstrip(".?! ") for part in parts]
    style = rnd.randrange(4)
    if style == 0:
        return " ".join(parts)
    if style == 1:
        return " and then ".join(bare).lower()
    if style == 2:  # noqa: PLR2004 - the four ways of joining
        last = bare[-1][:1].lower() + bare[-1][1:]
        return ", ".join(bare[:-1]) + rnd.choice((" and ", " , and also ", " and then ")) + last
    return "\n".join(f"{at}. {part}" for at, part in enumerate(parts, 1))


def _filled(templates: Sequence[str], names: Sequence[str], rnd: Random) -> str:
    words = {slot: rnd.choice(choices) for slot, choices in FILL.items()}
    things = dict(zip("ABCD", rnd.sample(names, 4), strict=True))
    return rnd.choice(templates).format(n=rnd.randrange(5, 60, 5), m=rnd.randrange(5, 60, 5), **words, **things)
