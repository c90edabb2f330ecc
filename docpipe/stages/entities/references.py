"""Numbers of cases, contracts and invoices, and citations of law: by the word before them or their own form.

United States, United Kingdom, European Union, Germany and France, and the words of other European languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from reporters_db import REPORTERS

from docpipe.engines.ports import Span
from docpipe.stages.entities.alternatives import one_of

_GAP = r"[^\S\n]{0,3}\n?[^\S\n]{0,3}"

_CASE_WORDS = (
    *("case", "docket", "cause", "civil action", "index", "claim", "matter", "appeal", "petition"),
    *("application", "affaire", "pourvoi", "requête", "requete", "rg", "rôle", "arrêt", "décision"),
    *("rechtssache", "sache", "procedimiento", "procedimento", "autos", "recurso", "processo", "proceso"),
    *("causa", "ricorso", "sentenza", "sentencia", "zaak", "sag", "mål", "sak", "asia", "sprawa", "ügy"),
)
_FILE_WORDS = (
    *("az", "aktenzeichen", "gesch.-z", "geschäftszeichen", "geschäfts-nr", "gz", "geschäftsnummer"),
    *("sygn. akt", "sygn", "sygnatura akt", "sygnatura", "sp. zn", "č. j", "čj", "sp.zn", "spisová značka"),
    *("r.g", "r.g.n.r", "rg n°", "n° rg", "n°rg", "rolnummer", "zaaknummer", "diarienummer", "dosar nr"),
)
_CONTRACT_WORDS = (
    *("contract", "agreement", "lease", "policy", "purchase order", "p.o", "po"),
    *("vertrag", "vertrags", "mietvertrag", "versicherungs", "police", "bestell", "bestellung", "auftrags"),
    *("contrat", "bon de commande", "commande", "contratto", "ordine", "polizza", "contrato", "pedido"),
    *("póliza", "apólice", "contract", "overeenkomst", "polis", "kontrakt", "avtal", "aftale", "avtale"),
    *("umowa", "umowy", "zamówienie", "smlouva", "smlouvy", "zmluva", "szerződés", "sopimus"),
)
_INVOICE_WORDS = (
    *("receipt", "quittung", "quittungs", "beleg", "reçu", "recibo"),
    *("invoice", "inv", "bill", "rechnung", "rechnungs", "facture", "fattura", "factura", "fatura"),
    *("factuur", "faktura", "faktury", "fakturu", "lasku", "laskun", "számla", "arve", "rēķins", "račun"),
    *("sąskaita", "sąskaita faktūra", "τιμολόγιο", "фактура", "счёт", "счет", "рахунок"),
)
"""Words before a number, in small letters. They are of law and trade, and in no library."""

_MARKS = (
    *("no", "nos", "number", "nr", "nro", "num", "nummer", "numer", "numéro", "numero", "número", "núm"),
    "numărul",
    *("n", "n°", "nº", "№", "č", "číslo", "šte", "št", "sz", "száma", "#", "id", "ref", "αρ"),
)
_MARK = rf"[^\S\n]?[-‑]?(?i:{one_of(_MARKS)})(?:(?<=\W)|(?!\w))\.?[°º]?[^\S\n]?:?{_GAP}"
_CODE = r"(?P<it>(?=[A-Z0-9/:._-]{0,30}\d)[A-Z0-9](?:[A-Za-z0-9]|[/:._-](?=[A-Za-z0-9])){1,39})"
_FILE = (
    r"(?P<it>(?:[A-Z0-9][A-Za-z0-9-]{0,6}(?:/[A-Z][a-z]{1,3})?[^\S\n]){0,3}(?:\d{0,3}[A-Z][A-Za-z]{0,4}/)?"
    r"(?:\d{1,6}/(?:\d{4}|\d\d)|\d\d/\d{5})(?!\d)(?:-\d{1,4})?(?:[^\S\n][A-Z](?![\w.]))?)"
)


CASE = re.compile(rf"(?<!\w)(?i:{one_of(_CASE_WORDS)})(?<!\.)\.?{_MARK}{_CODE}")
FILE = re.compile(rf"(?<!\w)(?i:{one_of(_FILE_WORDS)})\.?(?:[^\S\n]?(?i:n[°ro]?)\.?)?[^\S\n]?:?{_GAP}{_FILE}")
CONTRACT = re.compile(rf"(?<!\w)(?i:{one_of(_CONTRACT_WORDS)})(?<!\.)\.?{_MARK}{_CODE}")
INVOICE = re.compile(rf"(?<!\w)(?i:{one_of(_INVOICE_WORDS)})(?<!\.)\.?{_MARK}{_CODE}")
INVOICE_CODE = re.compile(
    rf"(?<!\w)(?i:{one_of(_INVOICE_WORDS)})[ :]{{1,3}}(?P<it>[A-Z]{{1,6}}-?\d[A-Z0-9]{{0,15}}"
    r"(?:[/-][A-Z0-9]{1,15}){0,4}|\d{4}[/-]\d{3,8}|\d{3,8}/\d{2,4})(?![\w/-])"
)

DOCKET = re.compile(r"(?<![\w:-])\d{1,2}:\d{2}-[a-z]{2}-\d{3,6}(?:-[A-Z]{2,4}){0,3}(?![\w-])")
ECLI = re.compile(r"\bECLI:[A-Z]{2}:[A-Z0-9]{1,7}:\d{4}:[A-Z0-9.]{1,25}(?<!\.)")

_SIGNS = (
    *("O", "U", "C", "S", "T", "W", "F", "K", "L", "A", "ZR", "ZB", "StR", "StB", "ARs", "BvR", "BvL", "BvF"),
    *("BvE", "AZR", "AZB", "ABR", "Ca", "Sa", "Ta", "BV", "TaBV", "KLs", "Ks", "Ls", "Ds", "Js", "Ns", "OWi"),
    *("Cs", "Qs", "Gs", "IN", "IK", "XI", "VI", "KR", "AS", "EG", "CSK", "SK", "CZP"),
)
GERMAN_FILE = re.compile(
    rf"(?<![\w/-])(?:\d{{1,3}}|[IVX]{{1,5}}|[A-Z] \d{{1,2}})[^\S\n](?:{one_of(_SIGNS)})[^\S\n]\d{{1,6}}/\d\d"
    r"(?![\d/])"
)
"""A file of a German court by its register's sign: `VIII ZR 123/20`."""
FRENCH_APPEAL = re.compile(r"(?<![\w-])\d\d-\d\d\.\d{3}(?![\w.-])")
"""An appeal to the Cour de cassation: `21-12.345`."""
UNION_CASE = re.compile(r"(?<![\w-])[CTF][-‑–]\d{1,4}/\d\d(?:[^\S\n]P(?:PU)?\b)?(?![\d/])")
NEUTRAL = re.compile(
    r"\[(?:18|19|20)\d\d\](?:[^\S\n]\d{1,2})?[^\S\n][A-Z][A-Za-z.]{1,8}(?:[^\S\n](?:Civ|Crim|Admin|Ch))?"
    r"[^\S\n]\d{1,5}(?:[^\S\n]\([A-Z][A-Za-z]{1,6}\))?"
)
"""A British neutral citation or report: `[2023] EWHC 123 (Ch)`."""
CLAIM = re.compile(r"(?<![\w-])[A-Z]{2}-20\d\d-\d{6}(?![\w-])")
"""A claim in the courts of England and Wales: `CL-2023-000456`."""
REPORT_FORM = re.compile(r"\d [A-Z][A-Za-z]{0,8}\.[\w.' ]{0,25} \d|\d{4} WL \d")
"""What a report looks like; only where it is found are the names of all reporters read."""


def find_reports(text: str, low: int, high: int) -> Iterator[Span]:
    """The CASE_NUMBER spans of reports in `text[low:high]`."""
    if REPORT_FORM.search(text, low, high):
        yield from (Span(*match.span(), "CASE_NUMBER") for match in report().finditer(text, low, high))


@cache
def report() -> re.Pattern[str]:
    """A citation by volume, reporter and page, `410 U.S. 113`: the Free Law Project keeps the reporters."""
    names = {
        name
        for series in REPORTERS.values()
        for one in series
        for name in (*one["editions"], *one["variations"])
        if name[:1].isupper() and sum(map(str.isupper, name)) + sum(map(str.isdigit, name)) > 1
    }  # names of one capital (`Abs.`, `Art.`) are words of other languages too
    return re.compile(
        rf"(?<![\w.,/-])\d{{1,4}}[^\S\n](?:{one_of(names)})[^\S\n]\d{{1,5}}(?![\w/-]|\.\d)"
        rf"(?:[^\S\n]\((?:[A-Z0-9][\w.]{{0,8}}[^\S\n]){{0,3}}(?:1[789]|20)\d\d\))?"
    )


# --- statutes -------------------------------------------------------------------------------------

_ACTS = (
    *(
        "Regulation",
        "Directive",
        "Decision",
        "Verordnung",
        "Richtlinie",
        "Beschluss",
        "Règlement",
        "Décision",
    ),
    *(
        "Regolamento",
        "Direttiva",
        "Decisione",
        "Reglamento",
        "Directiva",
        "Decisión",
        "Regulamento",
        "Diretiva",
    ),
    *("Verordening", "Richtlijn", "Rozporządzenie", "Dyrektywa", "Förordning", "Direktiv"),
)
_UNION = r"(?:EU|UE|EC|EG|CE|EEC|EWG|CEE|WE)"
_GERMAN_CODE = (
    r"(?:[A-ZÄÖÜ][A-Za-zÄÖÜäöü-]{0,12}(?:G|O|B|V|StG|GO)|SGB(?:[^\S\n][IVX]{1,4})?|EGBGB|DSGVO)(?!\w)"
)
_PARAGRAPH = (
    r"\d{1,4}[a-z]?(?:[^\S\n](?:ff?\.|Abs\.?[^\S\n]\d{1,2}|S\.?[^\S\n]\d{1,2}|Satz[^\S\n]\d{1,2}"
    r"|Nr\.?[^\S\n]\d{1,2}|lit\.?[^\S\n][a-z](?![a-z])|(?:und|bis|i\.[^\S\n]?V\.[^\S\n]?m\.)[^\S\n](?:§§?[^\S\n])?"
    r"\d{1,4}[a-z]?)){0,5}"
)
_FRENCH_NUMBER = r"(?:[LRD]\.?[^\S\n]?)?\d{1,4}(?:-\d{1,4}){0,4}"
_FRENCH = rf"{_FRENCH_NUMBER}(?:[^\S\n](?:et|à)[^\S\n]{_FRENCH_NUMBER})?"
_CODES = (
    *(
        "civil",
        "pénal",
        "rural",
        "électoral",
        "de commerce",
        "du travail",
        "de la consommation",
        "de la route",
    ),
    *("de procédure civile", "de procédure pénale", "de la sécurité sociale", "de la santé publique"),
    *("général des impôts", "monétaire et financier", "de la propriété intellectuelle", "des assurances"),
    *(
        "de l'urbanisme",
        "de l’urbanisme",
        "de l'environnement",
        "de l’environnement",
        "de justice administrative",
    ),
)
STATUTE = re.compile(
    r"(?<![\w.])(?:"
    r"\d{1,2}[^\S\n](?:U\.?S\.?C\.?(?:A\.)?|C\.?F\.?R\.?)[^\S\n](?:§{1,2}[^\S\n]?|[Pp]art[^\S\n]|[Ss]ec(?:tion|\.)[^\S\n])?"
    r"\d{1,5}[A-Za-z]?(?:[.-]\d{1,4}[A-Za-z]?(?:-\d{1,2})?)?(?:\([0-9A-Za-z]{1,3}\)){0,4}"
    r"|Pub\.[^\S\n]L\.[^\S\n](?:No\.[^\S\n])?\d{2,3}[-–]\d{1,3}"
    rf"|§{{1,2}}[^\S\n]?{_PARAGRAPH}[^\S\n]{_GERMAN_CODE}"
    rf"|Art(?:\.|ikel)[^\S\n]{_PARAGRAPH}[^\S\n](?:{_GERMAN_CODE}|GG(?!\w))"
    r"|[Aa]rt(?:icle|\.)s?[^\S\n]\d{1,3}(?:\(\d{1,2}\)){0,2}(?:\([a-z]\))?(?:[^\S\n]of[^\S\n]the)?[^\S\n]"
    r"(?:GDPR|TFEU|TEU|ECHR)(?!\w)"
    rf"|[Aa]rt(?:icles?|\.)[^\S\n]{_FRENCH}[^\S\n]du[^\S\n][Cc]ode[^\S\n](?:{one_of(_CODES)})(?!\w)"
    rf"|(?:{one_of(_ACTS)})[^\S\n]\({_UNION}\)[^\S\n](?:(?:No|Nr|n°|nr|n)\.?[^\S\n]?)?\d{{1,4}}/\d{{1,4}}"
    rf"|(?:{one_of(_ACTS)})[^\S\n](?:No\.?[^\S\n])?\d{{2,4}}/\d{{1,4}}/{_UNION}(?!\w)"
    r"|[Ss]ection[^\S\n]\d{1,3}[A-Z]?(?:\(\d{1,2}\)){0,2}(?:\([a-z]\))?[^\S\n]of[^\S\n]the[^\S\n]"
    r"(?:[A-Z][A-Za-z]{1,20}[^\S\n]|(?:and|of|to|for|in)[^\S\n]|\([A-Z][A-Za-z ]{1,40}\)[^\S\n]){1,8}"
    r"Act(?:[^\S\n]\d{4})?(?!\w)"
    r")"
)
