"""What is known before any data is seen: words, openings and shapes that point to a task, with weights.

The fit starts from these and moves away where the data say so; for a class or a style of prompt that no data cover
they stand as they are. 1 is a hint, 2 a good sign, 3 and more says it outright; below 0 it speaks against.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prysm.core.model import Task

WORDS: dict[Task, dict[float, str]] = {
    "code": {
        4: (
            "python javascript typescript golang kotlin c++ c# sql html css regex numpy pandas dockerfile "
            "powershell bash django flask kubernetes pytorch tensorflow postgresql mysql sqlite mongodb arduino "
            "unity matlab fortran haskell scala perl cobol assembly verilog cuda opencv nginx webpack nodejs "
            "jquery graphql autohotkey a_function python_function code_to code_for this_code code_below "
            "following_code my_code source_code the_code java_program c_program python_program python_script "
            "bash_script shell_script sql_query regular_expression unit_tests unit_test stack_trace data_frame "
            "pull_request write_code python_code c_code java_code leetcode reactjs terraform following_function "
            "c++_program git_rebase git_merge git_commit git_push git_pull git_clone chmod kubectl dockerfile "
            "docker_compose its_correctness rate_limiter"
        ),
        3: (
            "refactor debug compile compiler traceback segfault codebase dataframe stdin stdout hashmap "
            "a_program a_script a_class implement_a command_line linked_list binary_tree hash_map an_array "
            "array_of integer_array given_string given_array web_app web_page excel_formula macro vba "
            "discord_bot chrome_extension api_endpoint rest_api null_pointer syntax_error runtime_error o_n "
            "html_page code_snippet git grep awk sed pip cmake gcc systemd crontab "
            "code_snippet of_integers given_list given_tuple"
        ),
        2: (
            "java rust ruby php swift code coding programming program programmer api json yaml xml docker linux "
            "github git sdk backend frontend async algorithm algorithms snippet boolean subarray tuple tuples "
            "substring pointer pointers recursion recursive npm aws azure database query string strings array "
            "arrays nums class_method constructor iterator loop loops script function_that function_to in_java "
            "print_the returns_the def var const spark tkinter gui shader opengl kernel compile_time endpoint "
            "webpage website button css_class time_complexity space_complexity syntax load_balancer "
            "microservice microservices distributed_system latency throughput"
        ),
        1.5: "function method class implement",
        1: (
            "functions integer integers output bug server variable variables app file files list dictionary "
            "return returns input int str bool char parameter parameters library module test_cases lists"
        ),
    },
    "math": {
        4: (
            "solve_for real_numbers integer_solutions arithmetic_sequence geometric_sequence much_money "
            "prime_factors greatest_common least_common square_root let_f expected_value positive_integers "
            "positive_integer probability_that the_remainder evaluate_the prime_factorization"
        ),
        3: (
            "polynomial derivative integral equation equations triangle hypotenuse quadratic logarithm "
            "eigenvalue perimeter calculate solve divisible factorial permutations parabola modulo prove "
            "irrational cos sin tan differentiate integrate asymptote determinant vertices circumference "
            "mph kph isosceles equilateral hexagon many_ways in_dollars twice_as how_many how_much theorem lemma "
            "convergent sqrt frac mathbb is_divisible compute_the prime_numbers proof proof_that"
        ),
        2: (
            "the_value the_sum find_the remainder probability angle radius diameter fraction polynomials "
            "percent percentage compute arithmetic algebra geometry calculus in_total altogether prime simplify "
            "matrix years_old how_old times_as digits integers decimal multiply divided subtract dice "
            "coordinates slope axis variance median acres per_hour miles dollars cents mathematics km_h 0_km 0_miles "
            "0_hours 0_minutes"
        ),
        1: (
            "each twice half cost costs sold bought left more_than less_than sides ratio total sum average "
            "factor square circle number_of evaluate pounds hours day week spend earn earns pays gallons number "
            "numbers value"
        ),
    },
    "reasoning": {
        4: (
            "logic_puzzle riddle deduce syllogism premises premise entailment logically liars knights knaves "
            "truth_teller brain_teaser logical_reasoning conclusion_follow true_false clues teaser each_person "
            "different_characteristics a_row what_day caused_the event_caused minute_mystery"
        ),
        3: (
            "puzzle step_by by_step which_statement must_be follows_that cause_and deduction checkmate logical "
            "conclusion hypothesis contradiction implausible plausible infer inference true_or or_false "
            "the_conclusion sequence_next next_in estimate next_to conclusion_hold one_person"
        ),
        2: (
            "reasoning clue constraint if_the suppose assume statements consistent reasoning_steps explain_your "
            "your_reasoning entails sits the_left the_right likely which_event caused reaction molecule "
            "electron enzyme spectrum mixture compound protein energy following_statements product lives mutant "
            "experiment"
        ),
        1: "therefore either neither assuming statement observed if or_not correct_order facing",
    },
    "analysis": {
        4: "pros_and advantages_and compare_and strengths_and swot what_if critique trade_offs tradeoffs",
        3: (
            "analyze analyse assess implications root_cause what_factors discuss_the explain_why explain_how "
            "explain_the strategy_for what_strategies differences_between difference_between potential_impact "
            "how_can how_should why_might recommendations insights compare_the explain_what the_implications"
        ),
        2: (
            "compare contrast discuss explain strategies why_do why_does why_is why_are how_do how_does "
            "recommend benefits risks effective best_way how_to should_i ways_to consequences tips evaluate "
            "insight what_would business suggest outline"
        ),
        1: "why describe approach significance influence potential challenges effects impact provide factors",
    },
    "writing": {
        4: (
            "a_story a_poem short_story blog_post cover_letter haiku limerick sonnet fanfiction screenplay "
            "song_lyrics an_email an_essay press_release rewrite proofread a_song a_speech fan_fiction "
            "creative_writing a_scene story_about roleplay product_description soliloquy villanelle ballad "
            "monologue short_film a_tweet instagram_caption youtube_video rap_battle rap_song crossover "
            "script_where script_of the_scene fanfic opening_paragraph dark_humor"
        ),
        3: (
            "poem essay compose write_me write_an craft story stories lyrics email novel tagline slogan song "
            "verse joke headline draft imagine_you rephrase paraphrase pretend dialogue caption edit_the plot "
            "backstory the_style rhyme rhymes rhyming horror blurb resume biography toast eulogy continue_the "
            "role_of act_as sentence_with complete_the podcast advertisement newsletter grammatical"
        ),
        2: (
            "a_script script_for write character characters scene narrative fiction fictional tone creative "
            "humorous engaging marketing words_long letter fantasy protagonist vivid episode paragraph chapter "
            "film anime comedy romance blog article sarcastic hero villain dragon princess superhero pirate "
            "speech captivating whimsical write_a"
        ),
        1: "style describe title topic audience world funny review as_a persuasive formal polite she_said",
        -2: "write_code write_python a_function a_program sql_query",
    },
    "translation": {
        5: (
            "translate translation translating traduire traduis traduisez traduction traduce traducir traduzca "
            "traducción traduci tradurre traduca traduzione traduza traduz traduzir tradução tradu übersetze "
            "übersetzen übersetzt übersetz übersetzung vertaal vertalen vertaling przetłumacz tłumaczenie översätt "
            "översätta översättning oversæt oversett oversette käännä tercüme çevir přelož přeložit fordítsd traduceți"
        ),
        3: (
            "in_french in_spanish in_german in_italian in_portuguese in_chinese in_japanese in_korean "
            "in_russian in_arabic in_hindi into_english to_english to_french to_spanish to_german into_french "
            "into_spanish into_german from_english ins_englische ins_deutsche ins_französische auf_englisch "
            "en_anglais en_français al_inglés al_español in_inglese in_italiano para_inglês em_inglês to_japanese "
            "into_japanese you_say"
        ),
    },
    "extraction": {
        5: "extract extracted",
        4: (
            "summarize summarise summary tl_dr named_entities key_points key_takeaways csv_format json_format "
            "into_json as_json categorize classify_the"
        ),
        3: (
            "list_all identify_all pull_out following_text following_passage following_article following_email "
            "the_passage the_text classify sentiment following_data following_review bullet_points "
            "the_paragraph"
        ),
        2: "passage highlight according_to the_article context table format",
        1: "identify named",
    },
    "factual": {
        3: (
            "capital_of who_is who_was who_wrote who_won when_was when_did where_is what_year which_year "
            "cuál cuáles quién quiénes dónde cuándo quel quelle quels quelles qui wer wann welche welcher welches "
            "quem onde quando qual quais chi dove "
            "who_sang who_played who_plays where_was population_of definition_of located_in in_which "
            "which_country meaning_of who_invented which_of when_is where_did who_did which_one who_has "
            "where_are where_do what_do what_type what_kind by_what known_as name_of define"
        ),
        2: (
            "what_is what_are what_was who when where which what_does name_the how_tall how_long how_far born "
            "founded in_what of_what was_the what_would fact true_that following_is is_called what_did"
        ),
        1: (
            "what country city president film movie band actor located known animal plants animals water earth "
            "planet century king queen war team world_cup first released"
        ),
    },
    "chat": {
        5: "hello hi hey thanks thank_you good_morning good_evening how_are",
        3: "bye goodbye nice_to i_feel feeling_sad lonely what's_up",
    },
}
OPENS = 0.5
"""Share of its weight that a word has once more where it opens the prompt."""
OPENINGS: dict[Task, str] = {
    "writing": "write compose draft imagine pretend craft tell rewrite create",
    "factual": "who when where which what in name is",
    "code": "implement def import class",
    "math": "find solve compute calculate evaluate let simplify determine",
    "analysis": "explain compare discuss analyze why how describe",
    "extraction": "summarize extract",
    "translation": "translate",
    "chat": "hi hello hey thanks",
}
"""First words of a prompt; each weighs `OPENING`."""
OPENING = 1.5
SHAPES: dict[Task, dict[str, float]] = {
    "code": {
        "#code": 6,
        "#code_name": 6,
        "#marks1": 2,
        "#marks2": 4,
        "#marks3": 6,
        "#{": 1,
        "#_": 0.5,
        "#`": 2,
        "#<": 0.5,
        "##": 1,
    },
    "math": {
        "#latex": 4,
        "#arithmetic": 3,
        "#numbers2": 0.5,
        "#numbers3": 1,
        "#^": 1.5,
        "#=": 1,
        "#$": 0.5,
        "#+": 1,
    },
    "translation": {"#word_wanted": 12},
    "factual": {"#questions1": 0.5, "#words3": 0.5, "#words4": 0.5},
    "writing": {"#bare_list": 5},
    "reasoning": {"#options": 0.5, "#syllogism": 6},
}
FOREIGN: dict[Task, str] = {
    "writing": (
        "стих рассказ сказк сценари напи 故事 小说 小說 写一 寫一 "
        "诗 詩 剧本 文章 作文 物語 小説 お話 소설 이야 قصة שיר"
    ),
    "translation": "пере 翻译 翻譯 翻訳 번역",
    "code": "代码 代碼 コー 코드 прог код функ 函数 脚本",
    "math": "计算 計算 等式 方程 вычи расс реши 概率 урав 確率 수학",
    "analysis": "分析 объя поче 解释 为什 説明 なぜ 설명",
    "extraction": "总结 總結 摘要 要約 요약",
    "factual": "什么 谁 哪 кто когд где како 誰 いつ どこ 누구 언제 어디",
    "chat": "你好 прив こん 안녕 שלום",
}
"""Beginnings of words in other scripts; each weighs `FOREIGN_WEIGHT`."""
FOREIGN_WEIGHT, FOREIGN_CHARS = 4.0, 4
COMPOUND: dict[str, float] = {
    "@none": -1.5,
    "@then_ask": 3,
    "@two_matters": 4,
    "@ask_and_ask": 1,
    "@ask_and_order": 2,
    "@verbs2": 2,
    "@verbs3": 3,
    "@verbs4": 4,
    "@questions2": 0.7,
    "@questions3": 1.5,
    "@questions4": 2.5,
    "@apart1": 2,
    "@apart2": 2.5,
    "@apart3": 3,
    "@spoken2": 1.5,
    "@spoken3": 3,
    "@spoken4": 4,
    "@spoken_late2": 0.7,
    "@spoken_late3": 1.5,
    "@and_then1": 1,
    "@and_then2": 1.5,
    "@and_then&spoken": 2,
    "@items": 3,
    "@following": 2.5,
    "@or": 1,
    "@or&ask": 2.5,
    "@plain_or": 0.5,
    "@and": 0.7,
    "@and&yes_no": 2.5,
    "@and&paired": 2.5,
    "@both&and": 2,
    "@paired&yes_no": 1,
    "@common": 2.5,
    "@and&wh": 0.3,
    "@and&late": 2,
    "@of_these": 2,
    "@than": 1.8,
    "@between": 1.2,
    "@and&plural": 1,
    "@names2": 0.2,
    "@names3": 0.5,
    "@names4": 1,
    "@combine&names": 0.7,
    "@combine&names3": 1,
    "@changes&names": 2,
    "@changes": 0.7,
    "@superlative&names3": 0.8,
    "@combine&superlative": 1.5,
}
"""Marks of several tasks in one, in log-odds from `COMPOUND_BIAS`."""
COMPOUND_BIAS = -2.5


@cache
def task_weights() -> Mapping[str, Mapping[Task, float]]:
    """Turn the tables over: sign → task → weight, the larger where two know the sign."""
    out: defaultdict[str, dict[Task, float]] = defaultdict(dict)
    for task, sign, weight in _task_signs():
        out[sign][task] = max(weight, out[sign].get(task, weight))
    return out


def _task_signs() -> Iterator[tuple[Task, str, float]]:
    for task, by_weight in WORDS.items():
        for weight, words in by_weight.items():
            for word in words.split():
                yield task, word, weight
                yield task, f"^{word}", OPENS * weight
    for task, openings in OPENINGS.items():
        yield from ((task, f"^{word}", OPENING) for word in openings.split())
    for task, shapes in SHAPES.items():
        yield from ((task, sign, weight) for sign, weight in shapes.items())
    for task, words in FOREIGN.items():
        yield from ((task, word[:FOREIGN_CHARS], FOREIGN_WEIGHT) for word in words.split())
