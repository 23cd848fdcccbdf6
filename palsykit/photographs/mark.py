"""Says in a picture's file that it is synthetic and what made it, in a way that stays with the file.

The facts are JSON: in PNG a text chunk ``palsykit``, in every format an XMP packet. Beside it are IPTC's digital source
type (https://cv.iptc.org/newscodes/digitalsourcetype/), which other programs read, and a sentence in plain words.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from palsykit import __version__
from palsykit.errors import PalsykitError
from palsykit.files.atomic import write_with
from palsykit.photographs.exif import ORIENTATION, own_exif
from palsykit.photographs.files import UnreadablePicture, read_bytes
from palsykit.photographs.read import open_picture
from palsykit.photographs.visible import add_visible_mark

Facts = Mapping[str, Any]

KEY = "palsykit"
SOFTWARE = f"palsykit {__version__}"
NAMESPACE = "urn:palsykit:mark/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

XMP = 700
"""Number of TIFF's entry."""

GENERATED, COMPOSITE = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
"""IPTC's words for a picture that a model made, and for a photograph with a part that a model made."""

SAVED_AS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    ".png": ("PNG", {"compress_level": 1}, ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}, ("L", "RGB", "CMYK")),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}, ("L", "RGB", "CMYK")),
    ".webp": ("WEBP", {"lossless": True}, ("RGB", "RGBA")),
    ".tif": ("TIFF", {"compression": "raw"}, ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")),
    ".tiff": ("TIFF", {"compression": "raw"}, ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")),
}
"""Suffix -> Pillow's name of the format, how it is written, and the modes that it can hold."""


def write_marked(
    picture: Image.Image,
    path: str | Path,
    facts: Facts,
    *,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    visible: bool = False,
) -> None:
    """Write a synthetic picture with its facts: PNG, JPEG, WebP or TIFF by suffix, whole or absent.

    JPEG has quality 95 and full colour resolution; PNG, WebP and TIFF lose nothing. ``synthetic`` and palsykit's
    version are added to the facts. No date is written: the same call writes the same bytes. The mark is read back
    before the file takes its name.

    Of the photograph's EXIF, the GPS position, the thumbnail and the maker's note are left out: the latter two may show
    the photograph as it was before. Its description and software are replaced by the mark.

    Args:
        picture: in the photograph's stored orientation and colour space, if ``exif`` and ``icc_profile`` are its own.
        path: its suffix says the format.
        facts: JSON: what made it (``recipe``, ``weights``, ``seed``), what it shows (``expression``, ``side``,
            ``severity``), ``source``, the SHA-256 of the photograph. With ``source`` it counts as a photograph with a
            synthetic part, unless ``composite`` is false.
        icc_profile: the colour profile's bytes.
        exif: the photograph's EXIF bytes.
        dpi: resolution across and down.
        visible: also draw the word "synthetic" into a corner.

    Raises:
        PalsykitError: for another suffix, a mode that the format cannot hold, or if the file cannot be written.
    """
    path = Path(path)
    form, options, modes = _saved_as(path)
    facts = complete(facts)
    kept = own_exif(exif, picture.size, sentence(facts), SOFTWARE)
    if visible:
        picture = add_visible_mark(picture, orientation=int(kept.get(ORIENTATION, 1)))
    if picture.mode not in modes:
        raise PalsykitError(
            f"{path}: {form} cannot hold a picture of mode {picture.mode}; expected one of {', '.join(modes)}; "
            "choose .tif or .png, or convert it"
        )
    options = {**options, **_mark_of(form, facts, kept), "exif": kept, "icc_profile": icc_profile}
    if dpi is not None:
        options["dpi"] = dpi
    try:
        write_with(path, lambda partial: _write(picture, partial, path, form, facts, options))
    except (OSError, ValueError) as error:
        words = f"cannot be written as {form} ({error}); check folder and disk, or choose .png"
        raise PalsykitError(f"{path}: {words}") from error


def _mark_of(form: str, facts: Facts, exif: Image.Exif) -> dict[str, Any]:
    """How Pillow is told of the mark; a TIFF's packet is among the EXIF entries."""
    if form == "PNG":
        return {"pnginfo": png_text(facts)}
    if form == "TIFF":
        exif[XMP] = xmp(facts)
        return {}
    return {"xmp": xmp(facts)}


def _write(
    picture: Image.Image, partial: Path, path: Path, form: str, facts: Facts, options: Mapping[str, Any]
) -> None:
    """Fills the file ``partial`` and reads its mark back.

    Raises:
        PalsykitError: if another mark is found than was written.
    """
    plain = picture.copy()  # without what Pillow remembers of the photograph's file, and would write again
    plain.info = {key: value for key, value in picture.info.items() if key == "transparency"}
    plain.save(partial, format=form, **options)
    if (found := read_mark(partial)) != json.loads(_json(facts)):
        raise PalsykitError(f"{path}: the mark cannot be read back (found {found}); nothing was written")


def _saved_as(path: Path) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """How a file of this name is written.

    Raises:
        PalsykitError: for a suffix of no format that is written.
    """
    found = SAVED_AS.get(path.suffix.lower())
    if found is None:
        suffix = f"suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise PalsykitError(f"{path}: found {suffix}, expected one of {', '.join(SAVED_AS)}; choose another name")
    return found


def complete(facts: Facts) -> dict[str, Any]:
    """The facts of a mark, with what every mark says."""
    return {"synthetic": True, KEY: __version__, **facts}


def is_composite(facts: Facts) -> bool:
    """Whether the picture is a photograph with a synthetic part."""
    return bool(facts.get("composite", "source" in facts))


def sentence(facts: Facts) -> str:
    """The mark in plain words, ASCII."""
    what = "A photograph with a synthetic face" if is_composite(facts) else "A synthetic picture"
    return f"{what}, made by palsykit {facts.get(KEY, __version__)}. It shows no patient."


def png_text(facts: Facts) -> PngInfo:
    """The text chunks of a marked PNG."""
    facts = complete(facts)
    text = PngInfo()
    text.add_itxt(KEY, _json(facts))
    text.add_text("Description", sentence(facts))
    text.add_text("Software", SOFTWARE)
    text.add_itxt("XML:com.adobe.xmp", xmp(facts).decode("utf-8"))
    return text


def xmp(facts: Facts) -> bytes:
    """The XMP packet of a marked picture (ISO 16684-1)."""
    kind = SOURCE_TYPES + (COMPOSITE if is_composite(facts) else GENERATED)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:palsykit="{NAMESPACE}" xmlns:Iptc4xmpExt="{IPTC}"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        f"<palsykit:mark>{escape(_json(facts))}</palsykit:mark>"
        f"<Iptc4xmpExt:DigitalSourceType>{kind}</Iptc4xmpExt:DigitalSourceType>"
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(sentence(facts))}</rdf:li></rdf:Alt>'
        f"</dc:description><xmp:CreatorTool>{SOFTWARE}</xmp:CreatorTool>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def read_mark(path: str | Path) -> dict[str, Any] | None:
    """The facts that ``write_marked`` wrote into a file; None if it has no mark.

    Raises:
        UnreadablePicture: if the file is no picture, or its mark is damaged.
    """
    try:
        with open_picture(read_bytes(Path(path))) as opened:
            text = opened.info.get(KEY) or _in_xmp(opened.info.get("xmp"))
            if text is None and opened.format == "PNG":  # chunks behind the pixels, where other programs may put them
                opened.load()
                text = opened.info.get(KEY) or _in_xmp(opened.info.get("xmp"))
        return None if text is None else _facts(str(text))
    except UnreadablePicture as error:
        raise UnreadablePicture(error.reason, str(path)) from None


def _in_xmp(packet: object) -> str | None:
    """The JSON in an XMP packet, as an element or an attribute: other programs may write it anew."""
    if not isinstance(packet, bytes) or b"<!" in packet or NAMESPACE.encode() not in packet:
        return None  # a declaration of entities has no place in XMP
    name = f"{{{NAMESPACE}}}mark"
    try:
        for _, element in ElementTree.iterparse(BytesIO(packet.strip(b"\0 \n"))):
            found = element.text if element.tag == name else element.get(name)
            if found:
                return found
    except ElementTree.ParseError:
        raise UnreadablePicture("its XMP packet, which holds the mark, is damaged") from None
    return None


def _facts(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise UnreadablePicture("its mark is damaged: found no JSON object")
    return facts


def _json(facts: Facts) -> str:
    return json.dumps(dict(facts), allow_nan=False)
