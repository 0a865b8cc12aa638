"""What ml_score.report made, looked at: the page's own text, and pictures of it.

    report_page.py text FILE            "ok", or what is wrong with it: well-formed, ASCII, self-contained, accessible
    report_page.py section FILE ID      the words of a section, cells and labels separated by "|"
    report_page.py picture PNG [right:]COLOUR...   numbers: for each colour (rrggbb) of its pixels; with right: of those at
                                        the right edge that are not of it; and, last, of colours
    report_page.py requests NETLOG      the addresses that the browser asked for, but for the page itself
"""
import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
import zlib

FORBIDDEN = {"script", "link", "iframe", "object", "embed", "img", "image", "use", "foreignObject", "form", "input", "base"}


def complaints(path):
    """What is wrong with a page."""
    data = open(path, "rb").read()
    if any(byte > 0x7E for byte in data):
        yield "not all of it is ASCII"
    if not data.startswith(b"<!DOCTYPE html>"):
        yield "it does not say that it is HTML"
    root = ElementTree.fromstring(data)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    for double in {i for i in ids if ids.count(i) > 1}:
        yield f"id {double} is there twice"
    for element in root.iter():
        if element.tag in FORBIDDEN:
            yield f"there is a {element.tag}"
        for name, value in element.items():
            if name.startswith("on") or name in ("src", "srcset", "style", "action", "background"):
                yield f"{element.tag} has {name}"
            if name == "href" and value[1:] not in ids:
                yield f"{value} leads nowhere"
            if name == "aria-labelledby" and not set(value.split()) <= set(ids):
                yield f"{value} names nothing"
        if element.tag == "svg" and element.get("role") == "img":
            if [child.tag for child in element][:2] != ["title", "desc"]:
                yield "a chart has no title and description"
        if element.tag == "table" and element.find("caption") is None:
            yield "a table has no caption"
        if element.tag == "th" and element.get("scope") not in ("row", "col"):
            yield "a heading says not of what"
        if element.tag == "section" and element.find(".//figure") is not None and element.find(".//table") is None:
            yield f"section {element.get('id')} has a chart and no table"
    if b"Content-Security-Policy" not in data:
        yield "it does not tell the browser to load nothing"
    if re.search(rb"url\(|@import|javascript:", data):
        yield "the style asks for something else"


def words(path, section):
    root = ElementTree.parse(path).getroot()
    element = next((e for e in root.iter("section") if e.get("id") == section), None)
    if element is None:
        return ""
    return "|".join(t.strip() for t in element.itertext() if t.strip())


def pixels(path):
    """Rows of an 8-bit RGB or RGBA picture, each a list of (red, green, blue)."""
    data = open(path, "rb").read()
    at, body = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunk = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunk)
            assert depth == 8 and colours in (2, 6) and not interlaced
            size = 3 if colours == 2 else 4
        elif kind == b"IDAT":
            body += chunk
        at += length + 12
    raw, before = zlib.decompress(body), bytearray(width * size)
    for y in range(height):
        start = y * (width * size + 1)
        row = bytearray(raw[start + 1 : start + 1 + width * size])
        unfilter(raw[start], row, before, size)
        yield [tuple(row[x : x + 3]) for x in range(0, len(row), size)]
        before = row


def unfilter(kind, row, up, size):
    for i in range(len(row)) if kind else ():
        a = row[i - size] if i >= size else 0
        b = up[i]
        c = up[i - size] if i >= size else 0
        if kind == 4:
            p = a + b - c
            best = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
        else:
            best = (a, b, (a + b) // 2)[kind - 1]
        row[i] = (row[i] + best) & 255


def picture(path, wanted):
    """How many pixels have each colour; of right:COLOUR, how many at the right edge have another; how many colours."""
    seen, edge = {}, {}
    for row in pixels(path):
        for pixel in row:
            seen[pixel] = seen.get(pixel, 0) + 1
        for pixel in row[-4:]:
            edge[pixel] = edge.get(pixel, 0) + 1
    for word in wanted:
        colour = tuple(bytes.fromhex(word[-6:]))
        if word.startswith("right:"):
            yield sum(edge.values()) - edge.get(colour, 0)
        else:
            yield seen.get(colour, 0)
    yield len(seen)


def requests(path):
    log = json.load(open(path))
    for event in log["events"]:
        url = event.get("params", {}).get("url", "")
        if url and not url.startswith(("file:", "chrome", "data:", "about:")):
            yield url


def main(what, path, *rest):
    if what == "text":
        print("\n".join(complaints(path)) or "ok")
    elif what == "section":
        print(words(path, *rest))
    elif what == "picture":
        print(*picture(path, rest))
    else:
        print("\n".join(sorted(set(requests(path)))))


main(*sys.argv[1:])
