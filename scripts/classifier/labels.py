"""From each source's own labels to our classes, by what a prompt asks for; what is not listed has no label."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MT_BENCH = {
    "writing": "writing",
    "roleplay": "writing",
    "math": "math",
    "coding": "code",
    "reasoning": "reasoning",
    "extraction": "extraction",
    "stem": "analysis",
    "humanities": "analysis",
}
VICUNA = {
    "writing": "writing",
    "roleplay": "writing",
    "math": "math",
    "coding": "code",
    "fermi": "reasoning",
    "knowledge": "analysis",
    "generic": "analysis",
    "counterfactual": "analysis",
    "common-sense": "analysis",
}
ARENA_HARD_V2 = {"coding": "code", "math": "math", "creative_writing": "writing"}
LLMROUTER = {
    "human_eval": "code",
    "mbpp": "code",
    "math": "math",
    "gsm8k": "math",
    "agentverse-mgsm": "math",
    "agentverse-logicgrid": "reasoning",
    "gpqa": "reasoning",
    "commongen": "writing",
    "trivia_qa": "factual",
    "natural_qa": "factual",
    "mmlu": "factual",
    "arc_challenge": "factual",
    "openbook_qa": "factual",
    "commonsense_qa": "factual",
}
_FLASK_TASKS = {
    "code": "leetcode|humaneval|mbpp|cosqa|concode|bigbench: semantic parsing spider|bigbench: autodebugging|"
    "bigbench: cs algorithms|apps|codexglue|ds-1000",
    "math": "gsm8k|prm800k|agieval - math (amc + aime)|theoremqa|bigbench: chinese remainder theorem|"
    "inverse scaling prize: repetitive-algebra classification|finqa|"
    "inverse scaling prize: sig-figs classification|aqua|svamp|bigbench: color",
    "reasoning": "bbh|strategyqa|folio|inverse scaling prize: modus-tollens classification|barda|"
    "bigbench: cause and effect|inverse scaling prize: pattern-matching-suppression classification|"
    "bigbench: checkmate in one|bigbench: fantasy reasoning|bigbench: minute mysteries qa|winogender|"
    "resq (real-world spatial question answering)|inverse scaling prize: hindsight-neglect classification|"
    "alpha-nlg (art)|delta-nli|scone|bigbench: physics|inverse scaling prize: redefine classification|e-care|"
    "inverse scaling prize: into-the-unknown classification|proscript|bigbench: logical deduction|"
    "bigbench: emoji movie|bigbench: cryptonite|timedial|bigbench: forcasting subquestions|"
    "bigbench: word unscrambling|bbq",
    "factual": "hotpotqa|faviq|popqa|realtimeqa|asqa|topiocqa|romqa|bigbench: sports understanding|"
    "bigbench: periodic elements|mmlu|textbookqa|truthfulqa|bigbench: misconceptions|factscore|fever|"
    "commonsenseqa 2.0|triviaqa|naturalquestions|open relation modeling|piqa|"
    "vitaminc fact verification|bigbench: self-awareness",
    "writing": "writingprompts|haiku generation|real toxicity prompts|pocketdoc/rucaibox-story-generation-alpaca|"
    "common_gen|timetravel|inverse scaling prize: memo-trap classification",
    "extraction": "wikitablequesitons|fetaqa|fairytaleqa|inscit|lfqa_summary|conditionalqa|decontextualization|"
    "canard|contractnli",
    "translation": "bigbench: conlang translation",
    "chat": "prosocialdialog|soda|cicero",
}
FLASK = {name: task for task, names in _FLASK_TASKS.items() for name in names.split("|")}
FLASK_DOMAINS = {"Coding": "code", "Math": "math"}
"""Only for the instruction sets whose name says nothing; the other domains are topics, not tasks."""
FLASK_OPEN = frozenset(["self-instruct", "wizardlm", "koala", "vicuna"])


def task_of(row: Mapping[str, object]) -> str | None:
    """Return our class for the row, `None` where its source says nothing about the task."""
    source, category, task = str(row["source"]), str(row["category"]), str(row.get("task", ""))
    if source == "flask":
        if task.lower() in FLASK_OPEN:
            return FLASK_DOMAINS.get(category.split("/", maxsplit=1)[0])
        return FLASK.get(task.lower())
    if source == "llmrouter":
        return LLMROUTER.get(task)
    tables = {"mt-bench": MT_BENCH, "vicuna-bench": VICUNA, "arena-hard-v2": ARENA_HARD_V2}
    return tables.get(source, {}).get(category)


def compound_of(row: Mapping[str, object]) -> bool | None:
    """Return whether the row is several tasks in one, `None` where its source does not say."""
    source, category = str(row["source"]), str(row["category"])
    if source in {"parallelqa", "hotpotqa-comparison"}:
        return True
    if source.startswith("sot-"):
        return False if category == "sequential" else None
    return False if source == "llmrouter" else None


DIFFICULTIES = {
    "simple lifestyle knowledge": 0.0,
    "advanced lifestyle knowledge": 0.25,
    "formal education knowledge": 0.5,
    "major level knowledge": 0.75,
    "expert level knowledge": 1.0,
}
"""FLASK's five levels of the knowledge an answer needs."""
