"""Sets of words that the signs and the difficulty are read from. Facts, no code; what they weigh is fitted."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IMPERATIVES = _words(
    """
    write translate summarize summarise explain list compare analyze analyse calculate compute solve
    describe create generate draft implement design extract classify identify evaluate convert rewrite
    outline define recommend prove debug fix refactor propose estimate rank discuss compose find play book
    rate search schedule remind send order edit proofread paraphrase simplify shorten
    """
)
"""Verbs that each name a task of their own."""

COMMANDS = IMPERATIVES | _words(
    """
    provide give tell show make add name plan build check test document review determine suggest sort
    include turn call open get put use look fetch count remove delete update install deploy run rename pick
    choose select highlight correct answer respond reply expand organize organise prepare format
    """
)
"""With verbs that open a task in a list, and in a sentence mostly say more about the task at hand."""

MAKES = _words(
    "write translate create generate draft compose design implement summarize summarise calculate compute"
)
"""Tasks whose outcome is a thing of its own: `Explain tides and write a poem`."""

ORDERS = _words("play find book rate add show search tell list give get set turn remind send call")
"""What is said to an assistant, and seldom inside a task."""

QUESTION_WORDS = _words("what what's who whom whose when where which why how whats who's where's how's")
MODALS = _words("can could would will should")
AUXILIARIES = _words("is are was were do does did has have")

LEADS = _words(
    """
    and then also finally next please lastly afterwards secondly second first but additionally i i'd want
    need would like to you can could now so
    """
)
"""Words that may stand between the start of a clause and its verb."""

AGGREGATES = _words(
    """
    ratio difference combined total sum average largest smallest highest lowest greatest least among both
    tallest longest shortest percentage times compare product
    """
)

QUANTIFIERS = _words("all every no some most")
"""With which a syllogism begins: `all A are B`."""

CHOICE_WORDS = _words("which who between whose where what is was are were")
"""Words that ask for one of two things when `or` joins them."""
PAIR_WORDS = _words("same common share shared shares both either also similar together alike different")
RANK_WORDS = _words("than prior before compared")

STOP_WORDS = _words(
    """
    a an the of in on at to for is are was were do does did what which who how why when where and or with by
    from my me i you your that this it be can could will would should about as
    """
)

REQUEST_OPENERS = MODALS | {"i", "please"}
"""`Can you build me …?` is put as a question and is none."""

REASONING_WORDS = _words(
    """
    prove proof derive justify optimize optimise theorem complexity tradeoffs constraints constraint rigorous
    analyze analyse evaluate design architecture explain why compare contrast implications deduce
    infer reasoning strategy integral derivative polynomial probability distributed concurrency scalable
    asymptotic hypothesis hypotheses methodology research mechanism quantum thermodynamics eigenvalue differential
    diagnose refactor debug
    comprehensive counterexample induction convergence invariant consensus suppose assume determine critique
    synthesize equilibrium regression simulation protocol
    """
)
"""Words of prompts that need several steps; their count predicts a weak model's errors (APGR .606 on MMLU)."""

LANGUAGES = _words(
    """
    english french german spanish italian portuguese dutch russian polish ukrainian czech greek latin turkish
    arabic hebrew persian hindi bengali urdu chinese mandarin cantonese japanese korean vietnamese thai
    indonesian swedish norwegian danish finnish hungarian romanian swahili welsh irish
    """
)
"""Languages that a word may be wanted in."""

CODE_NAMES = _words(
    """
    git chmod chown kubectl docker dockerfile npm yarn pip cmake gcc nginx kubernetes terraform systemd crontab
    numpy dataframe dataframes postgresql mysql sqlite mongodb redis kafka javascript typescript nodejs golang
    kotlin webpack pytest pytorch tensorflow django regex graphql sudo stdin stdout
    """
)
"""Names of tools, libraries and languages that mean nothing else: `What does git rebase do?` is asked by who codes."""

CONSTRAINT_WORDS = _words(
    """
    must should exactly only without unless except ensure detailed rigorous rigorously both constraints edge
    asymptotic asymptotically least most every handle guarantee requirements
    """
)
"""Words that bind the answer; each is one more thing to get right."""
