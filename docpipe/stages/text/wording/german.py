"""How agreements are worded in German."""

from __future__ import annotations

import re

from docpipe.stages.text.wording.phrases import Phrases

_PAPER = (
    r"(?:vertrag|vereinbarung|abrede|verpflichtung|erklärung|nachtrag|ergänzung|absichtserklärung"
    r"|vollmacht)"
)
_QUOTE = r"[„“”\"»«‚‘]"
_TERM = r"(?P<term>[A-ZÄÖÜ][\wäöüß/-]{1,40}(?:\s[A-ZÄÖÜ][\w-]{1,30}){0,2})"
_CALLED = r"(?:nachfolgend|nachstehend|im\s{1,3}[Ff]olgenden|fortan|künftig|hiernach)"

GERMAN = Phrases(
    language="de",
    title=re.compile(
        rf"(?im)^[^\w\n]{{0,9}}(?P<title>(?:[\wäöü(),./&-]{{1,40}}[ ]){{0,8}}?[a-zäöüß-]{{0,40}}"
        rf"{_PAPER}(?:[ ][\wäöü(),./&-]{{1,40}}){{0,8}})[^\w\n]{{0,9}}$"
    ),
    amends=re.compile(r"(?i)nachtrag|änderungs|ergänzung"),
    itself=re.compile(
        rf"(?i)\b(?:diese[rsmn]?|vorliegende[rsmn]?)"
        rf"\s{{1,3}}(?:[a-zäöüß]{{0,30}}{_PAPER}(?:e?s)?|[a-zäöüß]{{3,20}}verhältnis(?:ses)?)\b"
    ),
    opens=re.compile(r"\b(?i:zwischen)\s{0,3}:?\s{0,6}"),
    follows=re.compile(
        r"(?:[,;)“”«»\"–-]\s{0,6}|\n\s{0,6}|\bgenannt\s{0,3}[–,-]?\s{0,6})\b(?:und|UND|Und"
        r"|sowie)\b\s{0,3}:?\s{0,6}"
    ),
    stops=re.compile(
        r"(?i)\b(?:wird\s{1,3}(?:\w{2,20}\s{1,3}){0,3}(?:geschlossen|vereinbart|vertrag)|(?:schließen"
        r"|vereinbaren)\s{1,3}(?:die|hiermit|folgende\w{0,2})"
        r"|präambel|vorbemerkung(?:en)?|gemeinsam\s{1,3}(?:auch\s{1,3})?(?:die|als)|zusammen\s{1,3}(?:die"
        r"|als))|§\s{0,3}1\b"
    ),
    lead=re.compile(
        r"(?:\(?\d[.)]\s{1,3})?(?:[-–—•]\s{0,3})?(?:(?:d(?:er|em|ie)|DER|DEM"
        r"|DIE)\s{1,3})?(?:(?P<company>(?:[Ff]irma|Fa\.|Gesellschaft|Stadt|Gemeinde)\s{1,3})"
        r"|(?P<person>(?:Herrn?|Frau|Eheleuten?)\s{1,3}))?(?:(?:Dr|Prof|Dipl\.-Ing)\.\s{1,3}){0,2}"
    ),
    ends=re.compile(
        r"[,;:(„“”\"»\n\t]|\s{1,3}(?:[–—-]\s|mit\s{1,3}Sitz|geb(?:\.|oren)|wohnhaft|vertreten|nachfolgend"
        r"|nachstehend|im\s{1,3}[Ff]olgenden"
        r"|und\s{1,3}(?=[„a-z]|Herrn?|Frau)|als\s{1,3}[A-Z]|aus\s{1,3}[A-Z]|in\s{1,3}[A-Z]|wird\b|sowie\b"
        r"|ansässig|eingetragen)"
    ),
    individual=re.compile(r"(?i)\b(?:geb(?:\.|oren)|wohnhaft|wohnend|verheiratet)"),
    company=re.compile(
        r"(?i)\b(?:sitz|handelsregister|HRB|HRA|geschäftsführer\w{0,3}|vorstand|gesellschaft|verein)\b"
    ),
    called=re.compile(
        rf"{_CALLED}[^„“”\"»\n.;]{{0,60}}?{_QUOTE}\s?(?:d(?:er|ie|as)\s{{1,3}})?{_TERM}\s?{_QUOTE}"
        rf"|\(\s?(?:d(?:er|ie|as)\s{{1,3}})?{_QUOTE}\s?(?P<quoted>[A-ZÄÖÜ][\w&. -]{{1,40}}?)\s?{_QUOTE}"
        rf"|\(\s?(?:als\s{{1,3}})?(?P<bare>[A-ZÄÖÜ][\wäöüß]{{3,40}})\s?\)"
        rf"|{_CALLED}\s{{1,3}}(?:als\s{{1,3}}|kurz\s{{1,3}}|d(?:er"
        rf"|ie)\s{{1,3}}){{0,2}}(?P<plain>[A-ZÄÖÜ][\wäöüß]{{3,40}})\b"
    ),
    collective=re.compile(r"(?i)partei(?:en)?\b|vertragspartei|vertragspartner|vertrag$|vereinbarung$"),
    laws=(
        re.compile(
            r"(?:\b(?i:unterliegt|unterliegen|untersteht|unterstehen|gilt|gelten|findet"
            r"|richtet\s{1,3}sich\s{1,3}nach|anwendbar(?:es)?(?:\s{1,3}ist)?|maßgeblich(?:\s{1,3}ist)?"
            r"|massgebend(?:\s{1,3}ist)?)\b"
            r"[^.;]{0,80}?|(?i:(?:anwendbares|anzuwendendes|geltendes)\s{1,3}recht)\s{0,3}:\s{0,3})"
            r"(?:\b(?P<law>[a-zäöü]{4,24}(?:es|em"
            r"|e)\s{1,3}(?:materielle[sm]?\s{1,3})?Recht)\b"
            r"(?<!anwendbares Recht)(?<!geltendes Recht)(?<!zwingendes Recht)(?<!materielles Recht)"
            r"|\bRecht[ ](?:de[rs][ ]|von[ ])?(?P<place>[A-ZÄÖÜ][\w-]{2,30}"
            r"(?:[ ](?:[A-ZÄÖÜ][\w-]{2,30})){0,2}))"
        ),
    ),
    length=re.compile(
        r"(?<![\w.,])(?P<number>\d{1,3}|(?i:[a-zäöüß]{3,20}))(?:\s{0,3}\(\s?(?P<digits>\d{1,3}"
        r"|[a-zäöü]{3,20})\s?\))?"
        r"\s{1,3}(?P<unit>(?:Kalender|Vertrags)?(?:jahre?n?|monate?n?|Jahre?n?|Monate?n?))\b"
    ),
    units={"j": "Y", "m": "M"},
    lasts=re.compile(
        r"(?i)\b(?:laufzeit|vertragsdauer|mietdauer|festlaufzeit|dauer|\w{0,30}vertrag\w{0,3}"
        r"|\w{0,30}vereinbarung|\w{0,20}verhältnis"
        r"|\w{0,30}verpflichtung\w{0,3})\b[^;]{0,160}?"
        r"\b(?:laufzeit\s{1,3}(?:\w{2,20}\s{1,3}){0,2}?(?:von|beträgt)|dauer\s{1,3}von|(?:für"
        r"|auf)(?:\s{1,3}die\s{1,3}dauer\s{1,3}von)?(?:\s{1,3}weitere)?"
        r"|beträgt|endet\s{1,3}(?:nach|mit\s{1,3}ablauf\s{1,3}von)|läuft)\s{0,3}$"
        r"|^[^\S\n]{0,9}(?:laufzeit|vertragsdauer)\s{0,3}:\s{0,9}$"
    ),
    lasts_not=re.compile(
        r"(?i)(?:probezeit|kündigungsfrist|frist\b|verlänger|gewährleist|wettbewerbsverbot|verjähr|kündig)"
    ),
    effective=re.compile(
        r"(?i)\b(?:tritt\s{1,3}(?:mit\s{1,3}wirkung\s{1,3})?(?:am|zum|ab(?:\s{1,3}dem)?|vom)"
        r"|(?:mit\s{1,3})?wirkung\s{1,3}(?:vom|zum|ab(?:\s{1,3}dem)?)"
        r"|beginnt\s{1,3}(?:am|zum|mit\s{1,3}dem|ab(?:\s{1,3}dem)?)|gilt\s{1,3}(?:ab|vom"
        r"|seit)(?:\s{1,3}dem)?|(?:vertrags|miet)?beginn\s{0,3}(?:ist)?(?:\s{1,3}der)?\s{0,3}:?"
        r"|inkrafttreten\s{0,3}:?)\s{0,9}$"
    ),
    concluded=re.compile(r"(?i)\b(?:wird|wurde|geschlossen|vereinbarung|vertrag)\s{1,3}(?:am|vom)\s{1,3}$"),
    signed=re.compile(
        r"(?:^|[\n\t]|[^\S\n]{3,9})[^\S\n]{0,9}(?:Ort,?\s{1,3}Datum\s{0,3}:\s{0,3})?"
        r"[A-ZÄÖÜ][\w/ .-]{1,40},\s{1,3}(?:den\s{1,3}|am\s{1,3})?$"
    ),
    expires=re.compile(
        r"(?i)\b(?:endet|enden|läuft|ende)\s{1,3}(?:\w{2,15}\s{1,3}){0,3}?(?:am|zum|bis\s{1,3}zum"
        r"|mit\s{1,3}(?:dem\s{1,3})?(?:ablauf\s{1,3}(?:des|vom)\s{1,3})?)\s{0,3}$|\bbis\s{1,3}zum\s{1,3}$"
    ),
    purpose=re.compile(
        r"(?i)\b(?P<what>[a-zäöü]{0,30}(?:preis|miete|kaution|vergütung|gehalt|lohn|darlehen|honorar"
        r"|provision|gebühr|entgelt"
        r"|pauschale|strafe|anzahlung|zahlung|beitrag|abfindung|prämie|betrag|summe))(?:e?s|e?n)?\b"
    ),
)
