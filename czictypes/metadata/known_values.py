"""Recognize values of metadata that cannot identify persons, places or dates."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?![+-]?0\d+$)[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WAVELENGTH = r"(?:1[0-6]\d\d|[1-9]\d\d)(?:\.\d{1,9})?"  # smaller than a year
_FROM_TO = re.compile(rf"(?:{_WAVELENGTH})?-(?:{_WAVELENGTH})?", re.ASCII)
_NO_NUMBER = frozenset({"nan", "inf", "-inf", "infinity", "-infinity", "n/a"})
_BETWEEN = re.compile(r"[^\s,;]+")
# No year, no day (24.05.06), no address of a computer (four bytes, of which few begin below 20).
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PATTERNS = {
    "count": re.compile(r"-?(?!0\d)\d{1,7}", re.ASCII),
    "color": re.compile(r"#(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})"),
    "version": re.compile(
        r"(?!.*(?<!\d)(?:19|20)\d\d(?!\d))(?!\d\d\.\d\d\.\d\d$)"
        rf"(?!(?:10|[2-9]\d|[12]\d\d)(?:\.{_BYTE}){{3}}$)\d{{1,5}}(?:\.\d{{1,5}}){{0,4}}"
        r"(?:(?:a|b|rc|\.dev|\.post)\d{1,4}){0,3}",
        re.ASCII,
    ),
    "binning": re.compile(r"\d{1,3}[,x]\d{1,3}", re.ASCII),
    "dye": re.compile(  # of ZEN's dyes
        r"McNamara-Boswell-\d{1,5}|66071726-cbd4-4c41-b371-0a6eee4ae9c5", re.ASCII
    ),
    "wildcards": re.compile(r"(?:\[\w\]|\s){1,40}", re.ASCII),
}
_CHOICES = {
    "true or false": {"true", "false", "True", "False", "0", "1"},
    "unit": {"m", "mm", "um", "\u00b5m", "\u03bcm", "nm", "pm", "s", "ms", "min", "h", "px"},
    "reference": {"TimeStamps", "FocusPositions"},
}
_GUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_LONGEST_NUMBER, _LONGEST_TEXT = 40, 120
_LARGEST_WAVELENGTH = 1700  # of the numbers in names; smaller than a year

#: The largest number that a kind allows; smaller than a date that is written without separators.
_LARGEST = {
    "number": 1e7,
    "magnification": 1e4,
    "aperture": 2.0,
    "index": 5.0,
    "wavelength": 1e5,
    "bits": 64.0,
    "duration": 1e13,  # in nanoseconds
}
# Places on a carrier and scenes as ZEN numbers them: A1, D6, AF48, P1, TR2, A1-P3, Scene 4.
_WELL = r"(?:[A-P]|A[A-F])[1-9]\d?"
_NUMBERED = (
    r"(?:P|S|R|TR|PR|ROI|Pos|Position|Region|Scene|Well|Field|Tile|TileRegion) ?(?:[1-9]\d{0,2}|0)"
)
_PLACE_NAME = re.compile(rf"(?:{_WELL}|{_NUMBERED})(?:[-_ :](?:{_WELL}|{_NUMBERED}))?|\d{{1,3}}")

# Words and numbers, and the words in "TransmittedLight" and "MTBCamera".
_RUN = re.compile(r"[^\W_]+(?:(?<=\d)\.(?=\d)[^\W_]+)*")
_PIECE = re.compile(
    r"[A-Z]?[a-z\u00df-\u00f6\u00f8-\u00ff]+|[A-Z]+(?![a-z])|\d+(?:\.\d+)?|[^\W\d_]+"
)
_CODE = re.compile(r"\D?[a-z]\d{1,3}(?:\.\d+)?|.*\d[a-z]\D*", re.ASCII)
# Of ZEISS's catalogue (420650-9901-000); numbers of people and telephones look much the same.
_PART_NUMBER = re.compile(
    r"(?<![\w-])(?:(?:4\d{5}|000000)-\d{4}-\d{3}|4\d{5}-99\d\d|(?<=[a-z]\.)\d{4}-\d{3})(?![\w-])",
    re.ASCII,
)
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,4}\s*([-/._ ,:;|+=])\s*\d{1,2}\s*\1\s*\d{1,4}"
    r"|\d{1,2}[-/]\d{1,2}[-/]\d{1,4}|\d{1,2}:[0-5]\d)(?!\d)",  # or a time of day
    re.ASCII,
)
_SIGNS = re.compile(r"[\w\s.,:;/+\-*()\[\]|%&=#\u00b0\u00b2\u00b5\u03bc]*")

# Makers, parts and ways of microscopy, dyes, and the words of enumerations, in lower case.
_WORD_LIST = """
33258 33342 ac achromat achroplan acquisition acridine active adapter af afm agfp air airy
airyscan alexa all alvarez aminocoumarin analog analysis andor annotation annotations annulus aom
aotf apc apd aperture aperturediameter aplan apochromat apotome aqua aquila arc ascending
attenuator attenuators atto auto autocorr autofluorescence automatic automatically averaging axio
axiocam axiocammr axioimager axioplan axioscan axioskop axiovert axiozoom axis azami azurite back
background bcecf beam beamsplitter bessel best bf bfp bfp2 bgr bgra bidirectional binary
bioluminescence black blue bodipy boolean borosilicate bottom bp brigh bright brightfield
brightness brilliant c c11440 c13440 c4742 c9100 cal calcein calcium calibrated cam camedge camera
cameras camlight carboxy cars cascade castor ccd ccu cell celldiscoverer cellmask center centre
cerulean cf cfp ch chamber chambers changer changers channel channels chd cherry chl chlorophyll
chs chunkcontainer circle circular citrine clear click clip closed clover cmos coded coherent
colibri color colour comb combiner complex compression condenser confocal congo connect continuous
contrast controller conventional cool core corr correction corrections coumarin counting
coverglass coverslip cp cresyl crop csu cumulative custom cy cyan cyanine czictypes dab dapi dapi2
dark darkfield dbs deconvolved deep deepred default defined dendra descending desk detector
detectors device devices df diameter dic dichroic dichroics differential digital dii dimensional
dimensions dio diode diodes dirac direction disabled disc discovery dish dishes disk dots double
draq dronpa dsred dual dye dyes dylight ebfp ec ecfp edge edition egfp electron ellipse elyra em
emccd emerald emgfp emi emission enabled eos eosin epi epifluorescence epiplan er esid ethidium
evans evolve ex examiner exc excelitas excitation ext extended external eyfp fa false fam far fast
fcs fib fiber fibre field filament filter filters filterwheel first fit fitc fixed fl flash flat
fll fllamp float fluar fluo fluor fluorescein fluoresceine fluorescence fluorescent fluorophore fm
focus frame free fret from front fs fset ft fucci full fura fusion gaasp gated gauss gaussian
gcamp generic gfp gfp2 giemsa glass glycerin glycerol gradient graphics gray green h33258 h33342
h3342 haematoxylin half halfpupil halide halo halogen halotag hamamatsu handed handedness hbo
hdcam hdcamc11440 hdr he headlight hematoxylin hes hex high histological histology hoechst
horizontal hrc hrm hs hsm hxp hybrid icc icx id ifp illumination image imager imaging imm
immersion imx in incubation indo infrared inner int integ integration intensity interference
internal invalid inverted iodide ir irfp ixon janelia jc jf jpeg jpg jrgeco kaede kinetics kinetix
korr kp kusabira kw lambda lamp lamps laser laserline lasers lattice layer layers lci lcip ld led
left leica lens level libczi light lightsheet line linear lines linker lite lm lossless lossy low
lower lp lsm lucifer lumar lumencor luminescence lwd lyso lysotracker lzw magenta magnification
main manager manual mapple marina mask masson maximum mbs mcerulean mcherry mcitrine mclover mean
meander measured measurement measurements membrane meos mercury metal meter mgfp mica microscope
microscopes microtiter minimum minmax mip mirfp mirror mirrors mito mitotracker mixed mkate mko mm
mneongreen module modules mono mono1 morange motorized mounting mplum mraspberry mrc mrfp mrm
mruby ms mscarlet mscarleti mspim mstrawberry mtagbfp mtb mtbcsu mtblsm mtbrl mtbtl mturquoise mu
multi multichamber multiimmersion multiphoton multiplier multislide multiwell musp muspim mvenus
mw mwasabi nd ndd nearfield neo neofluar neon neurotrace nft nikon nile nir nm none nose nosepiece
not notch ns nuclei nucleus object objective objectives oblique observation observer off oil
olympus on opal open optical optovar orange orca oregon original other out outer output overlay
pacific palette palm path pattern pco pcocamera pe pecy percent percp petri pgc ph ph1 ph2 ph3
phaco phalloidin phase photo photometrics photon piece piezo pinhole pixel plan planapo plastic
plate plates pmt pol polarisation polarization polygon popro port ports position positioned
positions preview primary prime primo pro processed propidium prot protein proteins ps pupil
purple pylibczi pylibczirw qdot quad quantum quartz quasar range ratio rcamp rectangle red ref
reference refl reflected reflection reflector relative resolution reverse rfp rgb rhod rhodamin
rhodamine rics right ring rl rlled rolera rox rpm sampling sapphire sbs scan scanner scanning
scmos scope second secondary section sectioning sem semi sensor session set sets shear sheet shg
shift shutter side signal silicon silicone sim sinc sine single sir skew skew45 skew60 slide
slider slides slow smlm snake snap snaptag snarf sona source sources sp specimen spectral spectrum
spim spinning spinningdisk splitter splitters spot square stage stand standby sted step steps
stereo stop storm string structured sum super superresolution sybr syto sytox tagbfp tagfp taggfp
tagrfp tamra tarfp tdtomato test texas texasred theoretical thg thick thin three tirf titer tl
tllamp tlled tmre tmrm to tomato top topaz topro toptica toto tpm tpmt track tracker tracks trans
transmission transmitted trfp trichrome triple tritc true tube tubelens tubelenses turquoise
turret two ultraviolet um umag uncalibrated uncompressed undefined unidirectional unknown upper
upright user uv valid venus vert vertical violet vis vivatome w wasabi water wavelength well wells
wga wheel white wide widefield x xbo xenon xl xr xy xz yellow yfp yokogawa yoyo yz zeiss zen zoom
zsgreen zstd zsyellow zyla
"""
_WORDS = frozenset(_WORD_LIST.split())
# Words of microscopy that are names of people and places, too; alone they are not known words.
_NAMES_ELSEWHERE = frozenset(
    {
        *("alexa", "alvarez", "brilliant", "congo", "evans", "janelia", "lucifer"),
        *("marina", "masson", "nile", "opal", "texas", "violet"),
    }
)


def is_guid(text: str) -> bool:
    """Return whether a text is a GUID, in braces or not."""
    return _GUID.fullmatch(text.strip().strip("{}")) is not None


def is_place_name(text: str) -> bool:
    """Return whether a text is a well's name or a scene's number: ``D6``, ``P1``, ``Scene 4``."""
    return _PLACE_NAME.fullmatch(text.strip()) is not None


def is_known_words(text: str) -> bool:
    """Return whether a text has only words of microscopy and short numbers that are not dates.

    ``Plan-Apochromat 20x/0.8 M27``, ``Alexa Fluor 488`` and ``MTBObjectiveChanger`` are.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST_TEXT or not _SIGNS.fullmatch(text):
        return False
    rest = _PART_NUMBER.sub(" ", text.replace("\u00b0C", " "))
    if _DATE.search(rest):
        return False
    runs = _RUN.findall(rest)
    words = {run.lower() for run in runs if not run[0].isdigit()}
    named = rest != text or not words <= _NAMES_ELSEWHERE
    numbered = bool(words) and any(run.isdigit() and len(run) == 3 for run in runs)  # Opal 520
    return (named or numbered) and all(map(_is_known_run, runs))


def _is_known_run(run: str) -> bool:
    """Return whether a run of letters and digits is known, as a whole or in pieces."""
    if run.lower() in _WORDS:
        return True
    pieces = _PIECE.findall(run)
    for position, piece in enumerate(pieces):
        if piece[0].isdigit():
            if not _is_short_number(piece):
                return False
        elif len(piece) == 1:  # as in 20x and M27
            beside = "".join(pieces[max(position - 1, 0) : position + 2])
            if not _CODE.fullmatch(beside.lower()):
                return False
        elif piece.lower() not in _WORDS:
            return False
    return True


def _is_short_number(digits: str) -> bool:
    whole, _, decimals = digits.partition(".")
    if len(whole) > 4 or len(digits) > 8 or int(whole) > _LARGEST_WAVELENGTH:
        return False
    if len(whole) > 1 and len(decimals) > 2:  # N48.137 is a place on earth
        return False
    return len(whole) <= 2 or not whole.startswith("0")


def _is_number(text: str, largest: float) -> bool:
    if text.lower() in _NO_NUMBER:
        return True
    return (
        len(text) <= _LONGEST_NUMBER
        and _NUMBER.fullmatch(text) is not None
        and abs(float(text)) < largest * (1 + 1e-9)
    )


def _are_numbers(text: str) -> bool:
    """Return whether a text is a list of numbers and ranges, separated by , ; or spaces."""
    if text in ("Empty", "n/a"):
        return True
    largest = _LARGEST["number"]
    return all(
        _is_number(one.group(), largest) or _FROM_TO.fullmatch(one.group())
        for one in _BETWEEN.finditer(text)
    )


def is_known(kind: str, text: str) -> bool:
    """Return whether a value that is not empty may be kept, for kinds that depend on the value."""
    text = text.strip()
    largest = _LARGEST.get(kind)
    if largest is not None:
        return _is_number(text, largest)
    if kind == "numbers":
        return _are_numbers(text)
    if kind == "words":
        return is_known_words(text)
    if kind == "intensity":
        return _is_number(text.rstrip("% "), 1e4)
    if kind in _PATTERNS:
        return _PATTERNS[kind].fullmatch(text) is not None
    return text in _CHOICES.get(kind, ())
