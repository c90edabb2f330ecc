"""How agreements are worded in French."""

from __future__ import annotations

import re

from docpipe.stages.text.wording.phrases import Phrases

_PAPER = (
    r"(?:contrat|bail|accord|convention|protocole|avenant|pacte|compromis|promesse|engagement|mandat"
    r"|marché)"
)
_THE = r"(?:l[ea]s?\s{1,3}|l['’]\s?)"
_TERM = r"(?P<term>[A-ZÀ-Ý][\w’'-]{1,30}(?:\s(?:[A-ZÀ-Ý][\w’'-]{1,30}|de|du|des)){0,3})"
_TERM_ALONE = r"(?P<bare>[A-ZÀ-Ý][\w-]{1,30})"
_CALLED = r"(?:ci-après|dénommée?|désignée?|appelée?)"

FRENCH = Phrases(
    language="fr",
    title=re.compile(
        rf"(?im)^[^\w\n]{{0,9}}(?P<title>{_PAPER}\b(?:[ ][\w’'(),/&°-]{{1,30}}){{0,14}})[^\w\n]{{0,9}}$"
    ),
    amends=re.compile(r"(?i)avenant\b"),
    itself=re.compile(
        rf"(?i)\b(?:(?:le|la|du|au|les|des|aux)\s{{1,3}})?(?:présente?s?\s{{1,3}}{_PAPER}s?"
        rf"|les\s{{1,3}}présentes)\b"
    ),
    opens=re.compile(
        r"\b(?i:entre)(?:\s{1,3}(?i:les?\s{1,3}(?:parties\s{1,3})?soussignée?s))?\s{0,3}:?\s{0,6}"
    ),
    follows=re.compile(
        r"(?:[,;)»”\"–-]\s{0,6}|\n\s{0,6})(?:d['’]une\s{1,3}(?:première\s{1,3})?part\s{0,3}[,;]?\s{0,6})?"
        r"\b(?:et|ET|Et)\b\s{0,3}:?\s{0,6}"
    ),
    stops=re.compile(
        r"(?i)\b(?:il\s{1,3}(?:a\s{1,3}été|est)\s{1,3}(?:préalablement\s{1,3})?(?:convenu|exposé|arrêté"
        r"|rappelé)"
        r"|article\s{1,3}(?:1|premier|I)\b|ensemble\s{1,3}(?:les|dénommé)|collectivement"
        r"|d['’]autre\s{1,3}part"
        r"|préambule|exposé\s{1,3}préalable|étant\s{1,3}préalablement|s['’]engagent)"
    ),
    lead=re.compile(
        r"(?:\(?\d[.)°]?\s{1,3})?(?:[-–—•]\s{0,3})?(?:(?P<company>(?:[Ll]a\s{1,3}"
        r"|LA\s{1,3})?(?i:société(?:\s{1,3}(?:civile|anonyme))?|association|entreprise|commune\s{1,3}de"
        r"|(?<=[Ll]a\s)(?-i:SARL|SAS|SASU|SA|SCI|SNC|EURL))\s{1,3})"
        r"|(?P<person>(?:M\.|MM\.|M(?=\s)|Mme\.?|Mlle\.?|(?i:monsieur|madame|mademoiselle"
        r"|maître))\s{1,3})|[Ll][ea]\s{1,3}|[Ll]['’]\s?)?"
    ),
    ends=re.compile(
        r"[,;:(«“\"\n\t]|\s{1,3}(?:[–—-]\s|née?\b|demeurant\b|domiciliée?\b|dont\b|ayant\b|représentée?\b"
        r"|au\s{1,3}capital|ci-après\b"
        r"|dénommée?\b|désignée?\b|immatriculée?\b|sise?\b|et\b|agissant\b|établie?\b|de\s{1,3}droit\b"
        r"|inscrite?\b)"
    ),
    individual=re.compile(r"(?i)\b(?:née?\s|demeurant|domiciliée?|de\s{1,3}nationalité)"),
    company=re.compile(
        r"(?i)\b(?:société|siège|capital|immatriculée?|association|représentée?\s{1,3}par|établissement)\b"
    ),
    called=re.compile(
        rf"{_CALLED}[^«“\"\n.;]{{0,60}}[«“\"]\s{{0,2}}{_THE}?{_TERM}\s{{0,2}}[»”\"]"
        rf"|\(\s{{0,2}}(?:{_THE})?[«“\"]\s{{0,2}}{_THE}?(?P<quoted>[A-ZÀ-Ý][\w’' -]{{1,40}}?)\s{{0,2}}[»”\"]"
        rf"|{_CALLED}\s{{1,3}}(?:dénommée?\s{{1,3}}|désignée?\s{{1,3}}"
        rf"|appelée?\s{{1,3}})?(?:par\s{{1,3}})?{_THE}{_TERM_ALONE}"
    ),
    collective=re.compile(r"(?i)parties?\b|contrat|accord"),
    laws=(
        re.compile(
            r"(?i:régie?s?|soumise?s?|gouvernée?s?|interprétée?s?|assujettie?s?"
            r"|exécutée?s?)[^.;]{0,80}?\b(?:par|au|aux|à|selon|conformément)\s{1,3}"
            r"(?:[a-zé]{2,12}\s{1,3}){0,2}?(?:le\s{1,3}|la\s{1,3}|les\s{1,3})?(?:(?P<law>(?i:droit|lois?"
            r"|législation)\s{1,3}(?!applicable|en\b|du\b|de\b|des\b)[a-zçéèï]{4,20}(?:-[a-z]{4,12})?)\b"
            r"|(?i:droit|lois?|législation)(?:\s{1,3}en\s{1,3}vigueur)?\s{1,3}(?:de\s{1,3}la\s{1,3}"
            r"|du\s{1,3}|des\s{1,3}|de\s{1,3}l['’]\s?|de\s{1,3}|d['’]\s?|en\s{1,3}|au\s{1,3})"
            r"(?P<place>[A-ZÀ-Ý][\w’'-]{1,30}(?:[ ](?:[A-ZÀ-Ý][\w’'-]{1,30}|de|du|française"
            r"|fédérale)){0,4}))"
        ),
        re.compile(
            r"\b(?:[Ll]e|LE)\s{1,3}(?P<law>droit\s{1,3}(?!applicable)[a-zçéèï]{4,20}(?:-[a-z]{4,12})?)\s{1,3}(?:est|sera|s['’])\s{0,3}(?:seul\s{1,3})?(?:applicable|applique)"
            r"|(?i:droit\s{1,3}applicable)\s{0,3}:\s{0,3}(?:le\s{1,3})?(?:(?P<place>[A-ZÀ-Ý][\w’'-]{2,30})|(?:droit\s{1,3})?[a-zéè]{4,20})"
        ),
    ),
    length=re.compile(
        r"(?i)(?<![\w.,])(?P<number>\d{1,3}"
        r"|[a-zéè]{2,12}(?:-[a-z]{2,10})?)(?:\s{0,3}\(\s?(?P<digits>\d{1,3})\s?\))?"
        r"\s{1,3}(?P<unit>années?|ans?|mois)\b(?:\s{1,3}(?:consécutives|consécutifs|entières?|entiers?))?"
    ),
    units={"a": "Y", "m": "M"},
    lasts=re.compile(
        r"(?i)\b(?:durée|contrat|accord|bail|convention|engagement|présente?s?|obligations?)\b[^.;]{0,160}?"
        r"\b(?:durée\s{1,3}(?:\w{2,15}\s{1,3}){0,3}?de|durée\s{1,3}est\s{1,3}(?:fixée\s{1,3}à|de)"
        r"|pendant(?:\s{1,3}une\s{1,3}(?:durée|période)\s{1,3}de)?|pour\s{1,3}(?:une\s{1,3}(?:durée"
        r"|période)\s{1,3}de)?"
        r"|période\s{1,3}de|expir\w{1,6}\s{1,3}(?:au\s{1,3}bout\s{1,3}de|après))\s{0,3}$"
    ),
    lasts_not=re.compile(
        r"(?i)\b(?:essai|préavis|renouvel\w{1,10}|reconduct\w{1,8}|non-concurrence|garantie|délai"
        r"|prescri\w{1,8}|avant)\b"
    ),
    effective=re.compile(
        r"(?i)\b(?:à\s{1,3}compter\s{1,3}du|à\s{1,3}partir\s{1,3}du|(?:prend|prendra|prennent|entre"
        r"|entrera|entrée)\s{1,3}(?:effet|en\s{1,3}vigueur)"
        r"\s{1,3}(?:le|au|dès\s{1,3}le)|date\s{1,3}d['’](?:effet"
        r"|entrée\s{1,3}en\s{1,3}vigueur)\s{0,3}[:=]?(?:\s{1,3}le)?)\s{1,3}$"
    ),
    concluded=re.compile(
        r"(?i)\b(?:conclue?\s{1,3}(?:le|ce|en\s{1,3}date\s{1,3}du)|en\s{1,3}date\s{1,3}du|datée?\s{1,3}du"
        r"|passée?\s{1,3}le)\s{1,3}$"
    ),
    signed=re.compile(
        r"(?i)\b(?:fait|signée?|établie?)\b[^.\n]{0,60}?\ble\s{1,3}$"
        r"|^[^\S\n]{0,9}[A-ZÀ-Ý][\w’'-]{1,30},\s{1,3}le\s{1,3}$"
    ),
    expires=re.compile(
        r"(?i)\b(?:expire(?:ra)?|prend(?:ra)?\s{1,3}fin|se\s{1,3}termine(?:ra)?|s['’]achève(?:ra)?"
        r"|(?:et\s{1,3}ce\s{1,3})?jusqu['’])\s{0,3}(?:le|au)\s{1,3}$"
    ),
    purpose=re.compile(
        r"(?i)\b(?P<what>dépôt\s{1,3}de\s{1,3}garantie|dommages-intérêts|redevance|loyer|prix|prêt"
        r"|salaire|rémunération|honoraires|commission"
        r"|caution|indemnité|pénalité|acompte|avance|frais|charges|prime|cotisation|forfait|tarif"
        r"|plafond)s?\b"
    ),
)
