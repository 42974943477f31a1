"""Abbreviations that are written with a full stop, by what has to follow for the sentence to go on."""

from __future__ import annotations

# All in lower case and without their last full stop.
ALWAYS = frozenset(
    "mr mrs ms mx dr prof messrs mme mlle e.g i.e eg ie vs viz cf ca approx rev hon sen rep gov supt esp incl excl "
    "dept univ "
    # German, French, Spanish, Portuguese, Italian
    "z.b d.h u.a bzw ggf evtl inkl exkl hr fr str nr usw p.ex c.-à-d env sr sra srta ud uds pág sig dott ing "
    # Hindi, Marathi, Bengali
    "डॉ डा श्री प्रो पं कु मि सं क्र रु स्व सुश्री अ.भा ডা ড মো প্রো "
    # Arabic, Persian
    "د أ.د م.م هـ ق.م ب.م إلخ "
    # Russian
    "г ул им т.е т.д т.п др проф"
    .split()
)  # fmt: skip
"""The sentence goes on, whatever follows."""

UNLESS_CAPITAL = frozenset(
    "a.m p.m etc inc ltd corp co bros llc plc gmbh jr sr al est ave blvd rd dr ln hwy sq esq phd "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun "
    "tel ext max min avg misc dist temp deg orig govt assn assoc div ed eds trans tbsp tsp pkg qty ref subj vs addl "
    "ala ariz ark cal calif colo conn del fla ill ind kan ky mass md mich minn miss mo mont neb nev okla ore pa penn "
    "tenn tex va wash wis wyo ont que".split()
)
"""The sentence goes on, unless a word with a capital letter follows."""

CAPITALISED = frozenset(
    "mar jun jul aug sep dec mon wed fri sat sun co est ave max min sr ark cal del ill ind miss mo pa va wash ore kan "
    "mass md tex ref ed trans div".split()
)
"""Those that are also other words: they are abbreviations only when they begin with a capital letter."""

BEFORE_NAME = frozenset("st mt ft gen col sgt capt lt cpl cmdr adm maj pvt brig pres sr hwy".split())
"""With a capital letter: the sentence goes on before a name."""

BEFORE_NUMBER = frozenset(
    "no nos vol vols fig figs p pp ch chap sec sect art eq eqs par tab op c ca rm apt ste pt v nr abs kap".split()
)
"""The sentence goes on before a number."""

AFTER_NUMBER = frozenset("ft in oz lb lbs mi yd hr hrs min mins sec secs cm mm km kg mg ml pt qt gal sq cu".split())
"""Units: after a number the sentence goes on, unless a word with a capital letter follows."""

COUNTRIES = frozenset("u.s u.k e.u u.n u.s.a u.s.s.r u.a.e".split())
"""The sentence goes on before a name, such as "Army", and ends before one of OPENERS."""

OPENERS = frozenset(
    "a an the this that these those there here it he she we they you i his her its our their my your what who whom "
    "whose where when why how which if while after before since because although though as in on at by for from with "
    "without to of and but or so yet then now today yesterday tomorrow tonight last next later soon still also "
    "however moreover meanwhile instead perhaps maybe yes no not nobody nothing everyone everybody everything "
    "someone something please let do does did is are was were can could will would should may some many most all "
    "each every one two both another other others".split()
)
"""Common words that begin sentences, and with a capital letter are hardly ever part of a name."""
