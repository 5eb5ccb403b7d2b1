"""Expressions in which a gendered word or a name says nothing about a person's gender.

Each is a phrase in lower case with the words that are not to be read between `<` and `>`; `*`
stands for any word. They are found by their marked words, so a text without those costs nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from debias_data.gender.tokens import Document
from debias_data.gender.words import word_set

_PHRASES: Final = """
founding <father|fathers> | pilgrim <father|fathers> | city <father|fathers> | <father> time
<father> christmas | <father> of modern *
<father|mother> of geometry|algebra|calculus|mathematics|physics|chemistry|medicine|history
<father|mother> of logic|computing|economics|genetics|philosophy|statistics|democracy|invention
<mother> nature | <mother> tongue | <mother> earth
<mother> lode | <mother> ship | <mother> teresa | <mother> goose | <mother> country
<mother> of all | <mother> of pearl | <mother> board | <mother> superior | <mother> cell
<mother> liquor | <mother> hen | <mother> duck | <mother> cat | <mother> dog | <mother> bird
<sister> city | <sister> cities | <sister> company | <sister> companies | <sister> ship
<sister> ships | <sister> school | <sister> schools | <sister> chromatid | <sister> chromatids
<sister> act | <daughter> cell | <daughter> cells | <daughter> nucleus | <daughter> nuclei
<daughter> product | <daughter> element | <daughter> company | <daughter> card|board
<daughter> language | <daughter> isotope | <mother|fathers|mothers|father> company
big <brother> watch | <brother> printer | warner <brothers|bros> | wright <brothers>
marx <brothers> | jonas <brothers> | <brothers> grimm | <brothers> karamazov | lehman <brothers>
smothers <brothers> | <sister> sledge | mario <brothers|bros> | super mario <bros>
every <man> for <himself> | <man> of the match | <man> of the year | <man> on the moon
<man> in the moon | <man> versus machine | <man> and machine | <man> or beast | <man> overboard
no <man> 's land | <no-man's-land> | one <man> show | two <man> tent | <man> cave | <man> bun
<man> eater | <man> hole | <man> power | <man> hours | <man> hour | <man> days | <man> day
<man> months | <man> made | <man> kind | <man> flu | <man-to-man> | <man> to man | man to <man>
<man> utd | <man> united | <man> city | isle of <man> | pac <man> | iron <man> | ant <man>
bat <man> | spider <man> | super <man> | wonder <woman> | cat <woman> | bird <man> | tin <man>
rain <man> | music <man> | invisible <man> | bogey <man> | gingerbread <man|men|boy>
stick <man|men> | straw <man|men> | yes <man|men> | snow <man|men> | sand <man|men> | hang <man>
burning <man> | x <men> | mad <men> | of mice and <men> | twelve angry <men> | little <women>
pretty <woman> | men in black | <men> in black | <men> at work | dead <man> 's | mystery <man>
third <man> | white <man> 's burden | old <man> and the sea | old <man> winter | medicine <man>
renaissance <man> | piltdown <man> | neanderthal <man> | peking <man> | java <man> | early <man>
prehistoric <man> | boy <scout|scouts> | <boy> scout | <boy> scouts | <girl> scout
<girl> scouts | <girl> guide | <girl> guides | <boy> band | <boy> bands | <girl> band
<boys> town | beach <boys> | beastie <boys> | backstreet <boys> | spice <girls> | gilmore <girls>
mean <girls> | powerpuff <girls> | game <boy> | <boy> wonder | poster <boy> | whipping <boy>
<boy> oh boy | oh <boy> | <boys> and <girls> club | <boys> <girls> club | <boys> will be <boys>
bad <boys> | <boy> 's own | oh <man> | <guy> fawkes | family <guy> | wise <guy> | you <guys>
hey <guys> | hi <guys> | hello <guys> | those <guys> at | <king> kong | <king> james bible
<king> 's cross | <king> 's college | <king> size | <king> sized | <king> cobra | <king> crab
<king> crabs | <king> salmon | <king> penguin | <king> penguins | <king> cake | <king> tut
<king> <arthur> | <king> <lear> | <king> street | <king> county | <king> island | <king> post
<king> 's speech | <kings> island | lion <king> | burger <king> | burger <king>'s
stephen <king> | luther <king> | sacramento <kings> | los angeles <kings> | <queen> size
<queen> sized | <queen> bee | <queen> bees | <queen> ant | <queen> ants | <queen> <mary>
<queen> street | <queen> <anne> | drag <queen> | drag <queens> | dairy <queen> | drama <queen>
prom <king> | prom <queen> | homecoming <king> | <queen> of hearts | <king> of hearts
<queen> of spades | <king> of spades | <king> of clubs | <queen> of clubs | <king> of diamonds
<queen> of diamonds | <queen> of england | <king> <edward> | <queen> <elizabeth>
<queen> <victoria>
<king> <henry> | <king> <louis> | <king> <george> | <king> <charles> | <king> <john>
<prince> edward island | <prince> <rupert> | <prince> <albert> | black <prince> | <prince> charming
<prince> <george> | little <prince> | <prince> william sound | <princess> bride | princess <bride>
fresh <prince> | merchant <prince> | <lady> bug | <lady> bugs | <lady> bird | <lady> gaga
<lady> luck | <lady> macbeth | <lady> justice | <lady> liberty | first <lady> 's | bag <lady>
dragon <lady> | <ladies> and <gentlemen> | <lord> of the rings | <lord> of the flies
<lord> knows | the <lord> 's prayer | <lord> 's prayer | good <lord> | oh <lord> | <lords> of
house of <lords> | war <lord> | war <lords> | praise the <lord> | space <lord> | <lord> kelvin
<lord> rayleigh | <duke> university | <duke> energy | <duke> 's mayonnaise | iron <duke>
<duke> blue | <baron> cohen | robber <baron|barons> | red <baron> | drug <lord|lords>
<earl> grey | <emperor> penguin | <emperor> penguins | <emperor> moth | <emperor> tamarin
<monk> fruit | thelonious <monk> | <witch> hazel | <witch> hunt | <witch> of agnesi
sand <witch> | <wizard> of oz | install <wizard> | setup <wizard> | washington <wizards>
<wizards> of | black <widow> | black <widows> | <widow> maker | grass <widow> | <widow> 's peak
<bride> of frankenstein | <uncle> <sam> | <uncle> ben 's | <uncle> tom 's | <aunt> jemima
say <uncle> | bob 's your <uncle> | <papa> john 's | <papa> johns | <mama> mia | <mamma> mia
<papa> bear | <mama> bear | mama <bear> | <dad> joke | <dad> jokes | sugar <daddy>
<daddy> longlegs | <daddy> long legs | <mummy> returns | <granny> smith | <granny> square
<granny> knot | <granny> flat | <nana> 's kitchen | <grandfather> clock | <grandfather> clocks
<grandfather> clause | <grandfather> paradox | <bachelor> 's | <bachelor's> | <bachelor> of
<bachelors> of | <bachelor> degree | <bachelors> degree | <bachelors> degrees | <bachelor> button
<bachelor> pad | confirmed <bachelor> | <master> 's degree | <maid> of honor | <maid> marian
old <maid> | <brotherhood> of | muslim <brotherhood> | <her> majesty 's * | <his> majesty 's *
<her> majesty's * | <his> majesty's * | <romeo> and <juliet> | <hansel> and <gretel>
<adam> and <eve> | <tom> and <jerry> | <jack> and <jill> went | <samson> and <delilah>
<bonnie> and <clyde> | <antony> and <cleopatra> | <tristan> and <isolde> | <peter> pan
<robin> hood | <harry> potter | <alice> in wonderland | <mary> poppins | <mary> celeste
bloody <mary> | virgin <mary> | hail <mary> | <ave> maria | ave <maria> | santa <maria>
black <maria> | <john> doe | <jane> doe | <john> deere | <john> hancock | <johns> hopkins
long <john> | dear <john> | <papa> <john's> | <jimmy> <john's> | <trader> <joe's>
trader <joe's> | <sloppy> joe | sloppy <joe> | sloppy <joes> | average <joe> | <cup> of joe
cup of <joe> | gi <joe> | <ben> <jerry's> | <ben> and <jerry's> | big <ben>
<victoria's> secret | <dick's> sporting | <wendy's> restaurant | <denny's> restaurant
<calvin> klein | <ralph> lauren | <tommy> hilfiger | <henry> ford | <jack> daniels
<jack-o-lantern> | <jack> russell | <jack> o | <jack> rabbit | union <jack> | <jack> of
<jack> pot | car <jack> | <jack> in the box | blackjack | <carmen> sandiego | <charlie> brown
<charles> schwab | <charles's> law | <henry's> law | <boyle's> law | <murphy's> law
<st> <mary's> | <peter> principle | <peter> rabbit | <thomas> the tank | <christopher> robin
<winnie> the pooh | <tim> hortons | <tim> horton's | <sam's> club | <carl's> jr | <julia> set
<julia> sets | <pascal's> triangle | <pascal> triangle | <pascal's> identity | <pascal's> rule
<monty> hall | <bernoulli> | <laura> ashley | <betty> crocker | <dr> seuss | <miranda> rights
<rosetta> stone | <florence> nightingale | <mona> lisa | mona <lisa> | <ada> programming
<ruby> on rails | <perl> | <julia> language | <julia> code | <elvis> presley | <barbie> doll
<ken> doll | <american> girl doll | american <girl> doll | prodigal <son> | favorite <son>
<son> of man | <son> of god | mumford and <sons> | <sons> ltd | <sons> inc
and <sons> inc | <women's|men's> day | <king|queen> pin
<fathers> day | <father's> day | <mother's> day | <mothers> day
<grandparents> day | <valentine's> day | <men's> room | <women's> room | <ladies'> room
<men> 's room | <ladies> room | <ladies> night | <mr> potato head | <mr> clean | <mr> coffee
<mr> bean | <mrs> butterworth | <mrs> doubtfire | <mr> <mrs> smith movie | <miss> universe
<miss> america | <miss> world | <miss> usa | <miss> universe's | <miss> saigon
little <miss> muffet | <sir> isaac | <count> dracula | <cow> boys | dallas <cowboys>
oklahoma state <cowboys> | <cowboys> stadium | <cowboys> fans | <yeoman> service
<fisherman> 's wharf | <fisherman's> wharf | <busman's> holiday | <walkman> | <doberman>
<talisman> | <german> | <roman> | <norman> | <ottoman>
"""


class _Phrase(NamedTuple):
    words: tuple[tuple[str, ...], ...]
    marked: int


class _Phrases:
    """The phrases in which one word is marked, by a word that has to stand beside it."""

    __slots__ = ("after", "alone", "before")

    def __init__(self) -> None:
        self.alone: list[_Phrase] = []
        self.before: dict[str, list[_Phrase]] = {}
        self.after: dict[str, list[_Phrase]] = {}

    def add(self, phrase: _Phrase) -> None:
        words, position = phrase
        for neighbour, index in ((position + 1, self.after), (position - 1, self.before)):
            if 0 <= neighbour < len(words) and words[neighbour] != ("*",):
                for form in words[neighbour]:
                    index.setdefault(form, []).append(phrase)
                return
        self.alone.append(phrase)


@cache
def _index() -> dict[str, _Phrases]:
    index: dict[str, _Phrases] = {}
    for source in _PHRASES.replace("> 's", "'s>").replace("\n", " | ").split(" | "):
        if not source.strip():
            continue
        parts = source.split()
        words = tuple(tuple(part.strip("<>").split("|")) for part in parts)
        for position, part in enumerate(parts):
            if part.startswith("<"):
                for form in words[position]:
                    index.setdefault(form, _Phrases()).add(_Phrase(words, position))
    return index


def _phrases_with(lower: str) -> _Phrases | None:
    found = _index().get(lower)
    return _index().get(lower[:-2]) if found is None and lower.endswith("'s") else found


def is_ever_fixed(lower: str) -> bool:
    """Whether a word in lower case can stand in an expression that is not to be read."""
    return _phrases_with(lower) is not None


def is_fixed(document: Document, index: int) -> bool:
    """Whether the word at `index` stands in an expression that is not to be read."""
    phrases = _phrases_with(document.lower(index))
    if phrases is None:
        return False
    found = phrases.alone
    if phrases.after:
        found = found + _beside(phrases.after, document.lower(index + 1))
    if phrases.before:
        found = found + _beside(phrases.before, document.lower(index - 1))
    if not found:
        return False
    return any(_matches(document, index - phrase.marked, phrase) for phrase in found)


def _beside(known: dict[str, list[_Phrase]], word: str) -> list[_Phrase]:
    found = known.get(word, [])
    if word.endswith("'s") and word[:-2] in known:
        found = found + known[word[:-2]]
    return found


def _matches(document: Document, start: int, phrase: _Phrase) -> bool:
    end = start + len(phrase.words)
    if start < 0 or end > len(document.words):
        return False
    for i, forms in enumerate(phrase.words, start):
        if forms == ("*",):
            if i < end and document.lower(i) in _NOT_ANY:
                return False
            continue
        word = document.lower(i)
        if word not in forms and not (word.endswith("'s") and word[:-2] in forms):
            return False
    return all(
        not gap.strip(" -–&") or gap.strip() == "."
        for gap in map(document.gap_before, range(start + 1, end))
    )


_NOT_ANY: Final = word_set("and or who was is")
