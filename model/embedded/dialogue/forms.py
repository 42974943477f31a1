"""Forms of requests that `Understanding` tells apart by their words alone."""

from __future__ import annotations

import re

MODIFIES = re.compile(
    r"^(?:(?:and|but|okay|no|oh|sorry|please|actually|can you|could you|then|now) )*(?:make|change|move|push|shift|put|"
    r"bring|turn) (?:the|my|our|that|it|this)\b(?! (?:light|lamp|radio|music|volume|heating))"
)
MORE_VOICES = re.compile(
    r"(?:(?:and|or|so|okay|also|what about|how about|are there|do you have|have you got|can you do|which|show me|is "
    r"there) )*(?:any |some |other |the |only )*(?:women|men|ladies|girls|boys|children|kids|robots|old people|young "
    r"people|others|other ones|more|(?:\w+ )?(?:women|men|voices|ones|accents))(?: too| as well| among them| there)*"
)
OF_ONESELF = re.compile(r"\W*(?:(?:\w+,|and|but|so|then|oh|well)\W+)*(?:i|we|my|our)\b", re.IGNORECASE)
OF_OTHERS = re.compile(
    r"\W*(?:(?:and|but|so|oh|well|because)\W+)*(?:he|she|they|(?:the|my|our|his|her|their|some|most)(?: [\w'’-]+)"
    r"{1,3}?) (?:thinks?|says?|finds?|believes?|loves?|hates?|knows?|enjoys?|keeps?|reckons?|laughs?|laughed|"
    r"complains?)\b",
    re.IGNORECASE,
)
"""What others think or do."""
WISHES_A_VOICE = re.compile(
    r"^\W*(?:(?:and|but|so|oh|no|well|okay|now)\W+)*you\b|\byour\b|"
    r"\b(?:want|need|prefer|looking for|after|would (?:like|be|suit)|please)\b",
    re.IGNORECASE,
)
RECKONS = re.compile(
    r"(?:(?:and|then|now|okay|so|but|what is|what about) )*(?:times \w|divided by|multiplied by|(?:half|twice|a third|"
    r"a quarter|\w+ percent) (?:of )?(?:that|it|this)\b)"
)
EARLIER_RESULT = re.compile(
    r"\b(?:earlier|previous|last|first) (?:result|number|sum|total)\b|"
    r"\b(?:result|number|sum|total) (?:from )?(?:before|earlier|just now)\b"
)
JOINING = re.compile(r"^(?:(?:and|but|so|or|okay|ok|now|then|well),? )+", re.IGNORECASE)
MEANT = re.compile(
    r"^(?:(?:no|sorry|wait|oh|but|well|hm|actually|that is not what i meant|that is wrong) )*i (?:asked|meant|wanted|"
    r"said|was asking|was talking|am asking|want)(?: to know| for| about| you)? "
)
IT_IS = re.compile(r"^\W*(?:it|that|this)(?:['’]s| is| was) (?:an?|the|so|such)\b", re.IGNORECASE)
PERSON_SAID = re.compile(r"\b(?:he|she|him|her|his)\b", re.IGNORECASE)
_CRIED = r"[\s,!]+(?:yes,? )?(?:[\w'’]+ ){0,2}[\w'’]+[.!]"
AH = rf"ah(?!{_CRIED})"
"""The sigh of somebody who looks for words, not the one of somebody who is moved."""
EXCLAIMS = re.compile(
    r"^(?:(?:oh|wow|and|but|well)\W+)*(?:what an? \w+(?: \w+){0,3}|how \w+)\W*$|"
    r"^(?:aha?|aww?|ooh|oh (?:yes|yeah))\b(?!.*\b(?:and|but|no|not|in|for|to|at|on|off|i|we|instead|please|make|"
    r"then|too)\b)"
    rf"{_CRIED}*$",
    re.IGNORECASE,
)
"""A cry, where no question mark follows: "what a day", "ah, my youth!"."""
THERE = re.compile(r"(?<!is )(?<!are )\bthere\b(?! (?:is|are|was|were|any|a)\b)", re.IGNORECASE)
THIRD = re.compile(r"\b(?:he|she|they)\b", re.IGNORECASE)
PARTS = re.compile(r"(?<=;)\s+")
COMMAS = re.compile(r"\s*[.,;:!?]+(?:\s+|$)")
