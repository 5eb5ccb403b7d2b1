"""Word classes of English that the context rules ask about.

Closed classes are complete enough to be relied on; open ones (verbs, nouns) are the members that
stand around pronouns in word problems and everyday prose. Forms of verbs are derived from their
base form, with the irregular ones written out.
"""

from __future__ import annotations

from typing import Final


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


_IRREGULAR: Final = {
    "be": "am is are was were been being",
    "have": "has had having",
    "do": "does did done doing",
    "give": "gave given giving gives",
    "get": "got gotten getting gets",
    "take": "took taken taking takes",
    "make": "made making makes",
    "pay": "paid pays paying",
    "lend": "lent lends lending",
    "send": "sent sends sending",
    "leave": "left leaves leaving",
    "sell": "sold sells selling",
    "tell": "told tells telling",
    "teach": "taught teaches teaching",
    "show": "showed shown shows showing",
    "bring": "brought brings bringing",
    "buy": "bought buys buying",
    "feed": "fed feeds feeding",
    "throw": "threw thrown throws throwing",
    "write": "wrote written writes writing",
    "read": "reads reading",
    "cost": "costs costing",
    "bet": "bets betting",
    "win": "won wins winning",
    "see": "saw seen sees seeing",
    "hear": "heard hears hearing",
    "feel": "felt feels feeling",
    "let": "lets letting",
    "find": "found finds finding",
    "keep": "kept keeps keeping",
    "catch": "caught catches catching",
    "drive": "drove driven drives driving",
    "think": "thought thinks thinking",
    "hold": "held holds holding",
    "set": "sets setting",
    "put": "puts putting",
    "eat": "ate eaten eats eating",
    "go": "went gone goes going",
    "run": "ran runs running",
    "say": "said says saying",
    "come": "came comes coming",
    "know": "knew known knows knowing",
    "begin": "began begun begins beginning",
    "drink": "drank drunk drinks drinking",
    "sleep": "slept sleeps sleeping",
    "spend": "spent spends spending",
    "lose": "lost loses losing",
    "ride": "rode ridden rides riding",
    "swim": "swam swum swims swimming",
    "fly": "flew flown flies flying",
    "draw": "drew drawn draws drawing",
    "grow": "grew grown grows growing",
    "cut": "cuts cutting",
    "meet": "met meets meeting",
    "sit": "sat sits sitting",
    "stand": "stood stands standing",
    "sing": "sang sung sings singing",
    "wear": "wore worn wears wearing",
    "speak": "spoke spoken speaks speaking",
    "fall": "fell fallen falls falling",
    "build": "built builds building",
    "break": "broke broken breaks breaking",
    "choose": "chose chosen chooses choosing",
    "forget": "forgot forgotten forgets forgetting",
    "forgive": "forgave forgiven forgives forgiving",
    "want": "wants wanted wanting",
    "wish": "wishes wished wishing",
    "become": "became becomes becoming",
    "wake": "woke woken wakes waking",
    "hit": "hits hitting",
    "hurt": "hurts hurting",
    "lead": "led leads leading",
    "deal": "dealt deals dealing",
    "fling": "flung flings flinging",
    "ring": "rang rung rings ringing",
    "shoot": "shot shoots shooting",
    "steal": "stole stolen steals stealing",
    "understand": "understood understands understanding",
    "lay": "laid lays laying",
    "lie": "lay lies lying lied",
}
_DOUBLED: Final = word_set(
    "beg ship plan stop drop tip mop grab wrap hop jog slip step pat hug trip nod rub"
)


def _inflect(base: str) -> set[str]:
    if base in _IRREGULAR:
        return {base, *_IRREGULAR[base].split()}
    if base in _DOUBLED:
        stem = base + base[-1]
        return {base, base + "s", stem + "ed", stem + "ing"}
    if base.endswith("e"):
        return {base, base + "s", base + "d", base[:-1] + "ing"}
    if base.endswith("y") and base[-2] not in "aeiou":
        return {base, base[:-1] + "ies", base[:-1] + "ied", base + "ing"}
    third = base + ("es" if base.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    return {base, third, base + "ed", base + "ing"}


def _forms(text: str) -> frozenset[str]:
    return frozenset(form for base in text.split() for form in _inflect(base))


DETERMINERS: Final = word_set(
    "a an the this that these those some any another every each either neither no all both half "
    "enough several many much few such what which whatever"
)
PREPOSITIONS: Final = word_set(
    "of to in on at by for from with about into onto over under after before until till since "
    "during through throughout against around among between behind beside besides beyond near "
    "past toward towards upon within without across along despite per as than like unlike off "
    "out up down via except inside outside regarding because"
)
CONJUNCTIONS: Final = word_set(
    "and or but nor so yet if whether when while where why how who whom whose because although "
    "though unless whereas whenever wherever once"
)
AUXILIARIES: Final = word_set(
    "is are was were am be been being has have had do does did will would can could may might "
    "must shall should isn't aren't wasn't weren't hasn't haven't hadn't don't doesn't didn't "
    "won't wouldn't can't couldn't mustn't shouldn't"
)
BE: Final = word_set(
    "is are was were be been being am isn't aren't wasn't weren't 's become became remains"
)
MODALS: Final = word_set("will can may might must")
PRONOUNS: Final = word_set(
    "i you he she it we they me him her us them my your his its our their hers mine yours ours "
    "theirs himself herself itself themselves myself yourself someone somebody anyone anybody "
    "everyone everybody something anything everything nothing nobody"
)
ADVERBS: Final = word_set(
    "again too also instead alone anymore there here today tomorrow yesterday tonight now then "
    "later soon twice not never always often sometimes well away together forward either sooner "
    "afterwards afterward beforehand anyway altogether apart aside back forever indoors "
    "outdoors upstairs downstairs abroad everywhere anywhere nowhere somewhere overnight daily "
    "weekly please even ever just still already almost exactly"
)

# After one of these a bare `her` before a determiner, number or noun phrase can be a recipient.
DITRANSITIVE: Final = _forms(
    "give tell owe lend send hand offer charge pay teach show award bring buy cost fetch grant "
    "loan promise serve throw toss write bet deny envy fling forgive guarantee pass mail quote "
    "refund reserve save spare tip win leave deal allow ask make get bake cook earn take assign "
    "issue accord advance bequeath email text fax wire ship slip sing pour order prescribe "
    "recommend remit repay read permit fine wish last trade provide pick drop"
)
# These name a recipient nearly always: `gave her apples`, but `paid her rent`.
GIVING: Final = _forms(
    "give offer award lend send hand grant bring fetch promise serve owe teach show cost allow "
    "assign issue toss throw prescribe tip provide guarantee"
)
SMALL_CLAUSE: Final = _forms(
    "see hear watch notice observe let make help have feel spot overhear bid"
)
PARTICIPLE: Final = _forms(
    "see hear watch notice observe catch find keep leave spot get have start send imagine "
    "picture film remember stop show feel set help"
)
WITH_ADJECTIVE: Final = _forms(
    "make find leave get call consider think drive keep render deem believe hold judge paint "
    "turn want like prefer declare pronounce prove"
)
MOTION: Final = _forms(
    "drive take walk send bring follow see accompany escort rush carry get fly invite ride ship "
    "order call chase bicycle lead race"
)

BASE_VERBS: Final = word_set(
    "be have do go come get take make give say tell see know think find want use try ask need "
    "feel become leave put mean keep let begin seem talk turn start show hear play run move "
    "live believe hold bring happen write provide sit stand lose pay meet include continue set "
    "learn lead understand watch follow stop create speak read allow add spend grow open walk "
    "win offer remember love consider appear buy wait serve die send expect build stay fall cut "
    "reach kill remain suggest raise pass sell require report decide pull eat sing dance cry "
    "laugh sleep drive fly swim cook clean choose finish solve improve prepare cross work enter "
    "leave win climb drop pick carry fill save earn count order study travel ride smile plan "
    "pack relax practice practise teach fight steal break close draw paint wash feed heal "
    "recover succeed accomplish achieve calculate determine organize organise fix repair lift "
    "push jump skip hop throw catch kick score argue complain explain describe enjoy avoid "
    "complete submit apply graduate shop rest sneeze return deliver arrive escape drown faint "
    "realize realise focus gain identify provide fix discover recognize recognise avoid obtain "
    "acquire develop perform produce maintain protect resolve review search select solve spread "
    "succeed surprise survive type update wear worry apologize apologise borrow cheat collapse "
    "commit communicate compete concentrate confess convince cope debug deal decorate "
    "demonstrate design destroy dig dodge eat emerge exercise exit explore express feed file "
    "flee float follow gather get giggle hide hit hurry ignore juggle kneel knit land lie lift "
    "load memorize mow nod notice overcome park persuade pet pour praise pretend promise punch "
    "quit race record recite refuse register relieve rescue retire rise row rush scream shake "
    "shave shoot shout sit ski slip sneak snore spell spend spill stare steal stumble suffer "
    "sweep swear swing tell think tie tutor unload unpack use vomit wake wander whisper wipe "
    "wrap yawn yell navigate locate understand forget breathe handle manage adjust adapt settle "
    "afford pursue"
)
# Base verbs that are as often nouns: `her work`, `her score`.
NOUN_VERBS: Final = word_set(
    "run play talk move turn show start need use try love stay fall cut report work cross dance "
    "smile cry laugh sleep drive cook plan pack practice study travel ride climb drop pick "
    "order count score fight break draw paint wash feed lift push jump skip throw catch kick "
    "shop rest return watch walk call answer help visit hope dream sale offer raise pass pay "
    "set stop lead read stand focus escape meet mean close save change look hold find"
)
MASS: Final = word_set(
    "money cash food water milk candy advice help information medicine medication permission "
    "credit access homework bread rice fruit juice soup chocolate jewelry jewellery furniture "
    "equipment clothing news love support feedback encouragement attention hope courage "
    "confidence strength trouble time directions instructions research paperwork newspaper "
    "treatment praise pleasure hell care math maths mathematics english spanish french chess "
    "piano work lunch dinner breakfast coffee tea pizza ice-cream"
)
PEOPLE: Final = word_set(
    "friends children kids students parents brothers sisters sons daughters cousins classmates "
    "employees coworkers co-workers colleagues neighbors neighbours pupils siblings "
    "grandchildren workers clients customers patients teachers teammates guests roommates "
    "uncles aunts nieces nephews partners fans followers staff family class team bosses "
    "creditors dogs cats pets animals horses chickens"
)
DUES: Final = word_set("debts bills taxes dues fees rent share tuition")
ADJECTIVES: Final = word_set(
    "happy sad angry late nervous rich poor sick ill tired hungry thirsty alone asleep awake "
    "alive dead mad crazy drunk pregnant busy free ready sure uncomfortable comfortable proud "
    "famous popular smart rude lazy guilty innocent responsible safe warm cold hot dizzy sleepy "
    "jealous anxious upset worried excited bored curious aware unhappy helpless speechless "
    "breathless breathless attractive beautiful handsome pretty funny boring annoying "
    "irritating intelligent incompetent competent dangerous difficult easy honest dishonest "
    "unconscious motionless stranded unattended helpful wanting unprepared sad furious nauseous "
    "homesick lonely wealthy right wrong welcome"
)
NUMBER_WORDS: Final = word_set(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million billion dozen twice"
)

TIME_UNITS: Final = word_set(
    "second seconds minute minutes hour hours day days night nights week weeks weekend weekends "
    "month months year years times tries attempts trips steps"
)

# Verbs by which a capitalised word at the start of a sentence shows itself to be a name.
_SUBJECT_BASES: Final = word_set(
    "be have do give get take make pay lend send leave sell tell teach show bring buy feed "
    "throw write read cost win see hear feel find keep catch drive think hold put eat go run "
    "say come know begin drink sleep spend lose ride swim fly draw grow cut meet sit stand sing "
    "wear speak fall build break choose forget want wish use need like love plan try start "
    "finish work play live own earn save collect walk travel bake cook decide order receive "
    "share add ask answer invest deposit plant pick pack split divide owe borrow rent hire "
    "visit watch study score solve paint open close order donate help call wait move return "
    "carry fill order place notice want count arrive climb jump practice order win place weigh "
    "measure expect hope realize order purchase charge offer invite complete wash clean mow "
    "knit sew order type grade deliver stop live stay join order sign drop enjoy create "
    "calculate determine discover order raise smile laugh cry dance host throw"
)
SUBJECT_VERBS: Final = (
    frozenset(
        form
        for base in _SUBJECT_BASES
        for form in _inflect(base)
        if form != base and not form.endswith("ing")
    )
    | word_set("rose woke shone sank stuck swore tore blew bit hid froze dug hung slid spun won")
    | word_set("will can could would should might must cannot only also just never always has")
)
