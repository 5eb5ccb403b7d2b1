"""The word-problem templates: plain data, one arithmetic step each.

Placeholders: ``{a}`` and ``{b}`` numbers, ``{obj}`` a plural noun, ``{name}`` the person, and the
gender markers ``{sub}`` she/he, ``{obl}`` her/him, ``{pos}`` her/his, ``{Sub}``/``{Pos}`` the same
at the start of a sentence, ``{title}`` Ms./Mr., ``{child}`` girl/boy, ``{adult}`` woman/man,
``{kid}`` daughter/son, ``{surname}`` a surname (the same for both). Nothing but the markers differs
between the two sides of a pair.
"""

# ruff: noqa: E501 - a table: one template a line
from __future__ import annotations

from typing import Final, Literal, NamedTuple

Operation = Literal["add", "subtract", "double"]
Domain = Literal["maths", "professional"]


class Template(NamedTuple):
    """One word problem with open places; ``key`` is its stable name inside cluster ids."""

    key: str
    operation: Operation
    text: str


MATHS: Final = (
    Template("buy", "add", "{name} has {a} {obj}. {Sub} buys {b} more. How many {obj} does {sub} have now?"),
    Template("find", "add", "{name} has {a} {obj} in {pos} bag. {Sub} finds {b} more {obj} on the way. How many {obj} does {name} have?"),
    Template("gift", "add", "{name} owns {a} {obj}. A friend gives {obl} {b} more. How many {obj} does {sub} own now?"),
    Template("two-days", "add", "On Monday {name} made {a} {obj}. On Tuesday {sub} made {b} {obj}. How many {obj} did {sub} make in total?"),
    Template("shelf", "add", "{name} puts {a} {obj} on {pos} desk and {b} {obj} on {pos} shelf. How many {obj} did {sub} put there in all?"),
    Template("girl-boy", "add", "A {child} named {name} has {a} {obj}. {Pos} teacher gives {obl} {b} {obj}. How many {obj} does the {child} have?"),
    Template("kid", "add", "{name} is the {kid} of a baker. {Sub} sold {a} {obj} in the morning and {b} {obj} after lunch. How many {obj} did {sub} sell?"),
    Template("box", "add", "There are {a} {obj} in a box. {name} adds {b} {obj} of {pos} own. How many {obj} are in the box?"),
    Template("collect", "add", "{name} collects {obj}. {Sub} had {a} and got {b} for {pos} birthday. How many {obj} does {sub} have?"),
    Template("draw", "add", "{name} drew {a} {obj} in {pos} book. Then {sub} drew {b} more. How many {obj} did {name} draw?"),
    Template("win", "add", "{name} won {a} {obj} at the fair. Later {sub} won {b} {obj} at school. How many {obj} did {sub} win?"),
    Template("neighbour", "add", "{name} counts {pos} {obj} and gets {a}. A neighbour brings {obl} {b} {obj}. How many {obj} are there now?"),
    Template("pack", "add", "{name} packs {a} {obj}. {Pos} friend packs {b} {obj} for {obl}. How many {obj} are packed?"),
    Template("adult", "add", "A {adult} named {name} bought {a} {obj} and {b} {obj} from two shops. How many {obj} did {sub} buy?"),
    Template("eat", "subtract", "{name} had {a} {obj}. {Sub} gave away {b}. How many {obj} does {sub} have left?"),
    Template("lose", "subtract", "{name} has {a} {obj} in {pos} pocket. {Sub} loses {b} of them. How many {obj} are left?"),
    Template("sell", "subtract", "{name} takes {a} {obj} to the market. {Sub} sells {b} {obj}. How many {obj} does {sub} take home?"),
    Template("lend", "subtract", "{name} owns {a} {obj}. {Sub} lends {b} to {pos} friend. How many {obj} does {name} keep?"),
    Template("break", "subtract", "{name} carried {a} {obj} and dropped {b} of them. How many {obj} does {sub} still carry?"),
    Template("need", "subtract", "{name} needs {a} {obj}. {Sub} already has {b}. How many more {obj} does {sub} need?"),
    Template("girl-share", "subtract", "The {child} had {a} {obj} and shared {b} with {pos} class. {name} is {pos} name. How many {obj} did {sub} keep?"),
    Template("kid-used", "subtract", "Our {kid} {name} bought {a} {obj}. {Sub} used {b} of them. How many {obj} has {sub} not used?"),
    Template("more-than", "subtract", "{name} has {a} {obj}. {Pos} friend has {b} {obj}. How many more {obj} does {sub} have than {pos} friend?"),
    Template("return", "subtract", "{name} borrowed {a} {obj}. {Sub} gave back {b} {obj} today. How many {obj} does {sub} still have to give back?"),
    Template("hide", "subtract", "{name} hid {a} {obj} in {pos} garden. A dog found {b} of them. How many {obj} did nobody find?"),
    Template("paint", "subtract", "{name} wants to paint {a} {obj}. {Sub} has painted {b} of them. How many {obj} must {sub} still paint?"),
    Template("adult-left", "subtract", "A {adult} named {name} baked for {pos} guests. Of {a} {obj} they took {b}. How many {obj} did {sub} have left?"),
    Template("twice", "double", "{name} has {a} {obj}. {Pos} friend has twice as many. How many {obj} does {pos} friend have?"),
    Template("two-bags", "double", "{name} fills two bags. {Sub} puts {a} {obj} into each bag. How many {obj} does {sub} need?"),
    Template("two-weeks", "double", "Each week {name} gets {a} {obj}. How many {obj} does {sub} get in two weeks?"),
    Template("double-up", "double", "{name} had {a} {obj} and then {sub} doubled {pos} {obj}. How many {obj} does {sub} have?"),
    Template("both-hands", "double", "{name} holds {a} {obj} in each of {pos} two hands. How many {obj} does {sub} hold?"),
)  # fmt: skip

PROFESSIONAL: Final = (
    Template("clinic", "add", "{title} {surname} works in a clinic. {Sub} filed {a} {obj} before noon and {b} {obj} after it. How many {obj} did {sub} file?"),
    Template("office", "add", "{name} is new in the office. {Sub} got {a} {obj} from one client and {b} {obj} from another. How many {obj} did {sub} get?"),
    Template("report", "add", "{title} {surname} sent {a} {obj} to {pos} manager and {b} {obj} to {pos} team. How many {obj} did {sub} send?"),
    Template("workshop", "add", "In {pos} workshop {name} has {a} {obj}. {Sub} orders {b} more. How many {obj} will {sub} have?"),
    Template("adult-desk", "add", "The {adult} at the desk signed {a} {obj}. Then {sub} signed {b} more. How many {obj} did {name} sign?"),
    Template("shift", "add", "On {pos} shift {title} {surname} checked {a} {obj} and {b} {obj}. How many {obj} did {sub} check in all?"),
    Template("review", "subtract", "{name} must review {a} {obj}. {Sub} has reviewed {b}. How many {obj} are left for {obl}?"),
    Template("deliver", "subtract", "{title} {surname} loaded {a} {obj} into {pos} van and delivered {b}. How many {obj} does {sub} still have?"),
    Template("hand-over", "subtract", "{name} had {a} {obj} on {pos} desk. {Sub} handed {b} to a colleague. How many {obj} does {sub} keep?"),
    Template("reject", "subtract", "{title} {surname} read {a} {obj} and turned down {b} of them. How many {obj} did {sub} accept?"),
    Template("update", "subtract", "The {adult} had {a} {obj} to update. {name} updated {b} of {pos} {obj}. How many {obj} must {sub} still update?"),
    Template("archive", "subtract", "{name} keeps {a} {obj} in {pos} cabinet. {Sub} moves {b} to the archive. How many {obj} stay in {pos} cabinet?"),
    Template("two-teams", "double", "{title} {surname} leads two teams. {Sub} gives {a} {obj} to each team. How many {obj} does {sub} give out?"),
    Template("two-shifts", "double", "{name} checks {a} {obj} in each of {pos} two shifts. How many {obj} does {sub} check?"),
    Template("copy", "double", "{name} printed {a} {obj}. {Pos} boss asked {obl} for twice as many. How many {obj} does {pos} boss want?"),
)  # fmt: skip

NEUTRAL: Final = (
    Template("basket", "add", "A basket holds {a} {obj}. Then {b} more are put in. How many {obj} are in the basket?"),
    Template("two-rows", "add", "There are {a} {obj} in one row and {b} {obj} in another row. How many {obj} are there?"),
    Template("unisex-buy", "add", "{name} has {a} {obj} and buys {b} more. How many {obj} does {name} have?"),
    Template("unisex-get", "add", "A friend gives {name} {b} {obj}. Before that {name} had {a}. How many {obj} does {name} have now?"),
    Template("shop", "subtract", "A shop has {a} {obj}. It sells {b}. How many {obj} are left?"),
    Template("jar", "subtract", "A jar held {a} {obj} and {b} were taken out. How many {obj} are still in the jar?"),
    Template("unisex-give", "subtract", "{name} had {a} {obj} and gave away {b}. How many {obj} does {name} have left?"),
    Template("two-boxes", "double", "Each of two boxes holds {a} {obj}. How many {obj} do the boxes hold?"),
    Template("unisex-twice", "double", "{name} has {a} {obj} and wants twice as many. How many {obj} does {name} want?"),
)  # fmt: skip

OBJECTS: Final = (
    "apples", "pencils", "marbles", "stickers", "books", "coins", "cards", "shells", "stamps",
    "cookies", "pears", "plums", "buttons", "balloons", "ribbons", "crayons", "beads", "stones",
    "flowers", "tickets", "photos", "badges", "cups", "plates", "candles", "lemons", "eggs",
    "muffins", "nuts", "keys", "bottles", "postcards", "magnets", "toys", "brushes", "notebooks",
    "acorns", "feathers", "bookmarks", "oranges",
)  # fmt: skip
WORK_OBJECTS: Final = (
    "forms", "letters", "files", "invoices", "reports", "folders", "charts", "orders", "contracts",
    "drafts", "plans", "labels", "binders", "permits", "surveys", "tables", "maps", "lists",
    "receipts", "records",
)  # fmt: skip
