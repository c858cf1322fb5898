"""Words and pairs of words that point to a task, each with a weight. Facts, no code.

Weights were set by hand: 1 is a hint, 2 a good sign, 3 and more says it outright.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.core.model import Task


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CUES: dict[Task, dict[float, str]] = {
    "code": {
        4: "python javascript typescript golang kotlin c++ c# sql html css regex numpy pandas reactjs "
        "dockerfile leetcode powershell bash django flask kubernetes terraform pytorch tensorflow webpack "
        "postgresql mysql a_function python_function following_function code_to code_for this_code "
        "code_below following_code c++_program java_program arduino unity vue.js",
        3: "write_code a_program unit_test unit_tests source_code git_commit stack_trace implement_a "
        "command_line pull_request bash_script excel_formula vba web_app web_page html_page code_snippet "
        "debug refactor segfault traceback compiler dataframe stdin linked_list hash_map binary_tree "
        "an_array of_integers given_string given_list given_array given_tuple",
        2: "java rust ruby php swift code coding programming api json yaml docker linux github sdk backend "
        "frontend async algorithm algorithms snippet boolean subarray tuple tuples time_complexity "
        "space_complexity runtime_error syntax endpoint npm aws azure database query string array arrays",
        1.5: "script implement function method class",
        1: "integer list bug program server variable loop app dictionary lists returns file",
    },
    "math": {
        4: "solve_for evaluate_the prime_factorization square_root least_common greatest_common real_numbers "
        "integer_solutions arithmetic_sequence geometric_sequence much_money",
        3: "polynomial derivative integral equation equations triangle hypotenuse quadratic logarithm "
        "eigenvalue the_remainder expected_value is_divisible perimeter probability_that compute_the "
        "calculate solve prime_numbers positive_integer positive_integers factorial permutations parabola "
        "modulo prove proof proof_that irrational many_ways in_dollars twice_as",
        2: "how_many how_much the_value the_sum find_the remainder probability angle radius divisible fraction "
        "polynomials percent percentage compute mathematics arithmetic algebra geometry calculus in_total "
        "altogether vertices prime simplify matrix years_old how_old times_as",
        1: "each twice half cost costs sold bought left dollars more_than less_than sides ratio total sum "
        "average factor coordinates square circle number_of evaluate",
    },
    "reasoning": {
        4: "logic_puzzle riddle teaser truth_teller deduce syllogism clues premise premises each_person "
        "different_characteristics a_row what_day step-by-step caused_the event_caused minute_mystery",
        3: "puzzle true_or by_step which_statement logically conclusion_hold must_be follows_that cause_and "
        "deduction checkmate one_person next_to logical",
        2: "reasoning clue constraint infer if_the suppose assume following_statements entails reaction "
        "product contradiction consistent lives mutant experiment hypothesis",
        1: "therefore either neither conclusion assuming statement observed mixture",
    },
    "analysis": {
        4: "pros_and advantages_and compare_and strengths_and swot what_if critique trade-offs trade_offs "
        "tradeoffs",
        3: "analyze analyse assess implications root_cause what_factors discuss_the compare_the explain_why "
        "explain_how explain_the explain_what strategy_for what_strategies insights differences_between "
        "difference_between potential_impact how_can how_should why_might the_implications",
        2: "compare contrast discuss explain strategies why_do why_does why_is why_are how_does how_do "
        "recommendations recommend evaluate benefits risks effective insight best_way how_to should_i "
        "ways_to consequences tips what_would business suggest outline",
        1: "why describe provide approach significance influence potential challenges effects factors impact",
    },
    "writing": {
        4: "a_story a_poem short_story blog_post cover_letter haiku limerick sonnet fanfiction screenplay "
        "song_lyrics an_email an_essay press_release rewrite proofread a_song a_speech rap_song fan_fiction "
        "creative_writing crossover script_where script_of a_scene the_scene story_about fanfic roleplay "
        "opening_paragraph dark_humor short_film",
        3: "poem essay compose write_me write_an craft story stories lyrics email novel tagline slogan song "
        "verse joke headline draft monologue imagine_you rephrase paraphrase pretend grammatical dialogue "
        "caption edit_the plot backstory the_style rhyme rhymes horror blurb",
        2: "a_script write character characters scene narrative fiction fictional tone creative humorous "
        "engaging advertisement marketing words_long letter fantasy protagonist vivid episode role_of "
        "paragraph continue_the act_as film anime comedy romance write_a chapter",
        1: "style describe title article topic audience world funny review as_a",
    },
    "translation": {
        5: "translate translation translating traduire traduis traduce",
        3: "in_french in_spanish in_german in_italian in_portuguese in_chinese in_japanese in_korean "
        "in_russian in_arabic in_hindi into_english to_english to_french to_spanish to_german into_french "
        "into_spanish into_german from_english",
    },
    "extraction": {
        5: "extract extracted",
        4: "summarize summarise summary tl_dr named_entities key_points key_takeaways csv_format json_format "
        "into_json as_json categorize classify_the",
        3: "list_all identify_all pull_out following_text following_passage following_article following_email "
        "the_passage the_text classify sentiment following_data following_review bullet_points "
        "the_paragraph",
        2: "passage table format highlight",
        1: "identify named",
    },
    "factual": {
        3: "capital_of who_is who_was who_wrote who_won when_was when_did where_is what_year which_year "
        "who_sang who_played who_plays where_was population_of define definition_of located_in in_which "
        "which_country meaning_of who_invented which_of when_is where_did who_did which_one who_has "
        "where_are where_do what_do what_type what_kind",
        2: "what_is what_are what_was who when where which what_does name_the how_tall how_long how_far "
        "what_did born founded in_what of_what was_the",
        1: "what country city president film movie band actor located known",
    },
    "chat": {
        5: "hello hi hey thanks thank_you good_morning good_evening how_are",
        3: "bye goodbye nice_to i_feel feeling_sad lonely what's_up",
    },
}

_FOREIGN: dict[Task, str] = {
    "writing": "стих рассказ сказк сценари напиши история\xa0 poème gedicht geschichte "
    "canción poesía crónica récit 故事 小说 小說 写一 寫一 诗 詩 剧本 文章 作文 物語 小説 お話 話を "
    "소설 이야기 시를 سیناریو شعر داستان قصة קטע סיפור שיר viết truyện thơ şiir "
    "hikaye diálogo cuento",
    "translation": "переведи перевод 翻译 翻譯 翻訳 번역 ترجم übersetz traduc traduis traduire tradução dịch תרגם",
    "code": "代码 代碼 コード 코드 программ скрипт código коде функци 函数 脚本",
    "math": "计算 計算 等式 方程 вычисли рассчита реши 概率 уравнен 確率 수학 calcula résoudre berechne",
    "analysis": "分析 объясни почему 解释 为什么 説明 なぜ 설명 erkläre expliqu explica проанализир",
    "extraction": "总结 總結 摘要 要約 요약 резюмир извлек zusammenfass résume resumen",
    "factual": "什么 谁 哪 кто когда где какой 誰 いつ どこ 누구 언제 어디 qui\xa0 quién cuándo",
    "chat": "你好 привет こんにちは 안녕 سلام שלום hola",
}
FOREIGN_CUES: tuple[tuple[str, Task], ...] = tuple(
    (cue, task) for task, cues in _FOREIGN.items() for cue in cues.split()
)


def _by_word() -> Mapping[str, tuple[tuple[Task, float], ...]]:
    table: dict[str, tuple[tuple[Task, float], ...]] = {}
    for task, weights in _CUES.items():
        for weight, words in weights.items():
            for word in words.split():
                table[word] = (*table.get(word, ()), (task, weight))
    return MappingProxyType(table)


CUES = _by_word()
"""`word` or `first_second` → the tasks it points to, with weights."""

REASONING_WORDS = _words(
    """
    prove proof derive justify optimize optimise theorem complexity tradeoffs constraints constraint rigorous
    analyze analyse evaluate design architecture step-by-step explain why compare contrast implications deduce
    infer reasoning strategy integral derivative polynomial probability distributed concurrency scalable
    asymptotic hypothesis mechanism quantum thermodynamics eigenvalue differential diagnose refactor debug
    comprehensive counterexample induction convergence invariant consensus suppose assume determine critique
    synthesize equilibrium regression simulation protocol
    """
)
"""Words of prompts that need several steps; their count predicts a weak model's errors (APGR .606 on MMLU)."""

IMPERATIVES = _words(
    """
    write translate summarize summarise explain list compare analyze analyse calculate compute solve describe
    create generate draft implement design extract classify identify evaluate convert rewrite outline define
    recommend prove debug fix refactor propose estimate rank discuss compose find
    """
)
"""Verbs that each name a task of their own."""

ADDED_IMPERATIVES = _words(
    """
    provide give tell show make add name plan build check test document review determine suggest sort include
    """
)
"""Verbs that open a task in a list, and in a sentence mostly say more about the task at hand."""

QUESTION_OPENERS = _words(
    """
    what who whom whose when where which why how is are was were do does did can could will would should
    """
)
REQUEST_OPENERS = frozenset(["can", "could", "would", "will", "i", "please"])
"""`Can you build me …?` is put as a question and is none."""

JOINERS = _words(
    """
    and then also finally next please you first second third secondly afterwards additionally or
    """
)
"""Words that may stand between the start of a clause and its verb."""

AGGREGATES = _words(
    """
    ratio difference combined total sum average largest smallest highest lowest greatest least among both tallest
    longest shortest percentage times compare product
    """
)

CONSTRAINT_WORDS = _words(
    """
    must should exactly only without unless except ensure detailed rigorous rigorously both constraints edge
    asymptotic asymptotically least most every handle guarantee requirements
    """
)
"""Words that bind the answer; each is one more thing to get right."""
