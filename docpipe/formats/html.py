"""HTML: the text a reader would see, by resiliparse."""

from __future__ import annotations

import re
from base64 import b64decode
from functools import partial

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import DocumentNode, ElementNode, HTMLTree

from docpipe.formats.base import Reader, TextReader
from docpipe.formats.clean import clean_line
from docpipe.formats.html_unseen import hide, is_unseen
from docpipe.formats.list_labels import written_number
from docpipe.formats.marks import marked
from docpipe.formats.members import Member, ReaderWithMembers
from docpipe.formats.paging import lines_of, paginate
from docpipe.formats.pictures import is_decoration
from docpipe.formats.request import ReadRequest
from docpipe.formats.text import decode

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*+=\s*+[\"']?\s*+([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
_UNSEEN = ["head", "script", "style", "template", "[hidden]", 'input[type="hidden" i]']
_RULE = re.compile(r"([^{}]{1,500})\{([^{}]{0,5000})\}")
_SIMPLE_SELECTOR = re.compile(r"(?:[a-z][a-z0-9]{0,20})?[.#][\w-]{1,80}", re.IGNORECASE)
_MAX_SELECTORS = 200
_RAISED = re.compile(r"vertical-align\s*+:\s*+(super|sub)\b", re.IGNORECASE)
_LONGEST_MARK = 20
_PICTURE = re.compile(
    r"src\s*+=\s*+[\"']?+data:image/([a-z]{3,4});base64,([A-Za-z0-9+/=\s]++)", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]{0,40})(?=[\s/>])", re.IGNORECASE)
_WITHOUT_END = """
p li dt dd option thead tbody tfoot tr td th rt rp colgroup html head body
area base br col embed hr img input link meta param source track wbr
"""
_NOT_NESTED = frozenset(_WITHOUT_END.split())
"""Elements without an end, or whose end need not be written."""
_DEEPEST = 500
"""Elements in each other, as in browsers: some work is done for each of those that one is in."""
_TICKS = {True: "☒", False: "☐"}


def visible_text(markup: str) -> tuple[str, str]:
    """The text a reader would see (cells of a table row separated by tabs), and the page's title."""
    tree = HTMLTree.parse(_flattened(markup.replace("\0", "")))
    unseen = [*_UNSEEN, *_hidden_by_rules(tree)]
    hide(_document(tree), markup)
    _write_labels(tree)
    _write_marks(tree)
    _write_fields(tree)
    _write_drawings(tree)
    _open_figures(tree)
    _open_cells(tree)
    text = extract_plain_text(
        tree,
        preserve_formatting=True,
        list_bullets=False,
        alt_texts=False,
        noscript=True,
        form_fields=True,
        skip_elements=unseen,
    )
    text = text.replace("\t\t", "\t")  # two part each cell from the next
    return text.replace("\xa0", " "), clean_line(tree.title or "").strip()


def _flattened(markup: str) -> str:
    """The page without the tags of elements that are nested too deeply; what is in them stays."""
    inside: list[str] = []

    def kept(tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if name in _NOT_NESTED:
            return tag[0]
        if not tag[1]:
            inside.append(name)
        is_too_deep = len(inside) > _DEEPEST
        if tag[1]:
            _end(inside, name)
        return f"<!{tag[0][1:]}" if is_too_deep else tag[0]  # a comment, up to the end of the tag

    return _TAG.sub(kept, markup)


def _end(inside: list[str], name: str) -> None:
    """End the last element of this name, with those in it; of those too deep only the last is looked at."""
    if inside[-1:] == [name]:
        inside.pop()
    elif len(inside) <= _DEEPEST and name in inside:
        while inside.pop() != name:
            pass
    elif len(inside) > _DEEPEST:
        inside.pop()


def _document(tree: HTMLTree) -> DocumentNode:
    """Lists of its nodes are gone through by `values()`: without, they are made anew for each node."""
    assert tree.document is not None  # only a tree that was never parsed has none
    return tree.document


def _hidden_by_rules(tree: HTMLTree) -> list[str]:
    """Selectors of classes and ids that the page's own style sheets hide."""
    found: list[str] = []
    for sheet in _document(tree).get_elements_by_tag_name("style").values():
        for selectors, rules in _RULE.findall(sheet.text or ""):
            if is_unseen(rules):
                found += filter(_SIMPLE_SELECTOR.fullmatch, map(str.strip, selectors.split(",")))
    return found[:_MAX_SELECTORS]


def _write_labels(tree: HTMLTree) -> None:
    """Put before each item of an ordered list the label a browser shows."""
    for items in _document(tree).get_elements_by_tag_name("ol").values():
        own = [
            item for item in items.child_nodes.values() if isinstance(item, ElementNode) and item.tag == "li"
        ]
        step = -1 if items.hasattr("reversed") else 1
        count = _whole(items.getattr("start"), len(own) if step < 0 else 1)
        for item in own:
            count = _whole(item.getattr("value"), count)
            _put_first(tree, item, list_label(count, items.getattr("type") or "1") + " ")
            count += step


def list_label(count: int, kind: str) -> str:
    """`1.`, `b.`, `IV.`: the label of an item by the `type` of its list."""
    form = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}.get(kind, "decimal")
    return f"{written_number(count, form)}."


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,9}", text.strip()) else default


def _put_first(tree: HTMLTree, parent: ElementNode, text: str) -> None:
    """Put a text before all else in an element, inside its first paragraph where it starts with one."""
    while (child := parent.first_element_child) is not None and child.tag in {"p", "div", "span"}:
        inside = child.text or ""
        if (parent.text or "")[: len(inside)].strip() != inside.strip():
            break
        parent = child
    node = tree.create_text_node(text)
    assert node is not None
    if parent.first_child is None:
        parent.append_child(node)
    else:
        parent.insert_before(node, parent.first_child)


def _write_marks(tree: HTMLTree) -> None:
    """Set raised and lowered letters apart from the number or word they stand on."""
    for name in ("sup", "sub"):
        for element in _document(tree).get_elements_by_tag_name(name).values():
            _write_mark(tree, element, name == "sub")
    for element in _document(tree).query_selector_all('[style*="vertical-align" i]').values():
        raised = _RAISED.search(element.getattr("style") or "")
        if raised and len(element.text or "") <= _LONGEST_MARK:
            _write_mark(tree, element, raised[1].lower() == "sub")


def _write_mark(tree: HTMLTree, element: ElementNode, lowered: bool) -> None:
    before = (element.prev.text if element.prev is not None else None) or ""
    written = marked(element.text or "", before, lowered)
    if written != element.text:
        _replace(tree, element, written)


def _write_fields(tree: HTMLTree) -> None:
    """Put what a form shows in the place of its fields."""
    for field in _document(tree).query_selector_all("input, textarea, select").values():
        text = _field_text(field)
        if text is not None:
            _replace(tree, field, f" {text} ")


def _write_drawings(tree: HTMLTree) -> None:
    """Put the words of a drawing in its place, those of drawings inside it too."""
    inside = 0
    for drawing in _document(tree).query_selector_all("svg").values():
        if inside:  # of the one before, which has them
            inside -= 1
            continue
        inside = len(drawing.query_selector_all("svg"))
        words = " ".join((text.text or "").strip() for text in drawing.query_selector_all("text").values())
        if words.strip():
            _replace(tree, drawing, f" {words} ")


def _open_figures(tree: HTMLTree) -> None:
    """Put a block in the place of each figure and each caption: resiliparse drops both."""
    for figure in _document(tree).query_selector_all("figure, figcaption").values():
        block = tree.create_element("div")
        if not isinstance(block, ElementNode) or figure.parent is None:
            continue
        for child in figure.child_nodes.values():
            block.append_child(child)
        if figure.hasattr("hidden"):
            block["hidden"] = ""
        figure.parent.replace_child(block, figure)


def _open_cells(tree: HTMLTree) -> None:
    """Put the content of a cell's only paragraph straight into the cell: its row stays one line."""
    for block in _document(tree).query_selector_all("td > p:only-child, td > div:only-child").values():
        if block.parent is not None and block.query_selector("p, div, table, ul, ol, br") is None:
            for child in block.child_nodes.values():
                block.parent.insert_before(child, block)
            block.decompose()


def _replace(tree: HTMLTree, element: ElementNode, text: str) -> None:
    """Put a text in the place of an element, unless one around it has gone already."""
    node = tree.create_text_node(text)
    if element.parent is not None and node is not None:
        element.parent.replace_child(node, element)


def _field_text(field: ElementNode) -> str | None:
    """What a field shows; None where it is unseen."""
    kind = (field.getattr("type") or "").lower()
    if field.hasattr("hidden") or kind == "hidden":
        return None
    if kind == "password":
        return ""
    if field.tag == "textarea":
        return field.text or ""
    if field.tag == "select":
        options = field.query_selector_all("option").values()
        chosen = [option for option in options if option.hasattr("selected")] or options[:1]
        return ", ".join((option.text or "").strip() for option in chosen)
    if kind in {"checkbox", "radio"}:
        return _TICKS[field.hasattr("checked")]
    return field.getattr("value") or ""


def declared_charset(data: bytes) -> str | None:
    """The charset an HTML or XHTML file names in its first 4 kB."""
    found = _META_CHARSET.search(data[:4096]) or _XML_ENCODING.search(data[:4096])
    return found[1].decode("ascii") if found else None


def pictures_inside(markup: str, request: ReadRequest) -> list[Member]:
    """The pictures that are in the page itself (`data:`), each once and no logos."""
    members: list[Member] = []
    for kind, code in dict.fromkeys(_PICTURE.findall(markup)):
        letters = "".join(code.split()).rstrip("=")
        data = b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + "==")
        if not is_decoration(data):
            name = f"picture-{len(members) + 1}.{kind.lower()}"
            members.append(Member.of(request, name, name, partial(bytes, data)))
    return members


def open_reader(request: ReadRequest) -> Reader:
    """Open a web page as one long page (more only beyond `max_page_characters`), then its own pictures."""
    data = request.content()
    decoded = decode(data, declared_charset(data))
    text, title = visible_text(decoded.text)
    metadata = {"charset": decoded.charset} | ({"title": title} if title else {})
    pages = list(paginate(lines_of(text), request.limits.max_page_characters))
    plain = TextReader(request.file_type, pages, metadata, decoded.warnings())
    pictures = pictures_inside(decoded.text, request)
    return ReaderWithMembers(request, plain, pictures, "picture") if pictures else plain
