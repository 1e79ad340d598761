"""Which script a text is written in, told by its letters."""

import numpy as np
from numpy.typing import NDArray

from megatron_crossic.data.languages import excerpt

NO_SCRIPT = "none"
_LEAST_KANA = 0.05
"""Han with so much kana among it counts as Japanese, as kana alone does: its share in Japanese text
is above 0.3, and a Chinese text quotes a name at most."""
_LEAST_BESIDE_LATIN = 0.2
"""Of the letters: product names, units and links bring Latin into every text, and a word takes more
letters in Latin than in Han, so that a Japanese manual can have more of them."""

_RANGES = {
    "Latin": "41-5A 61-7A AA-AA BA-BA C0-D6 D8-F6 F8-24F 1E00-1EFF FF21-FF3A FF41-FF5A",
    "Greek": "370-373 376-377 37B-37D 37F-3FF 1F00-1FFF",
    "Cyrillic": "400-52F 1C80-1C8F 2DE0-2DFF A640-A69F",
    "Armenian": "531-58A",
    "Hebrew": "5D0-5F4",
    "Arabic": "620-64A 66E-6D3 6D5-6D5 6E5-6EF 6FA-6FF 750-77F 8A0-8FF FB50-FDFF FE70-FEFE",
    "Thaana": "780-7BF",
    "Devanagari": "900-963 971-97F A8E0-A8FF",
    "Bengali": "980-9E3 9F0-9FF",
    "Gurmukhi": "A00-A65 A70-A7F",
    "Gujarati": "A80-AE3 AF0-AFF",
    "Odia": "B00-B65 B70-B7F",
    "Tamil": "B80-BE5",
    "Telugu": "C00-C65",
    "Kannada": "C80-CE5",
    "Malayalam": "D00-D65 D70-D7F",
    "Sinhala": "D80-DE5",
    "Thai": "E01-E3A E40-E4E",
    "Lao": "E81-ECF EDC-EDF",
    "Tibetan": "F00-F1F F40-FFF",
    "Myanmar": "1000-103F 104A-109F A9E0-A9FF AA60-AA7F",
    "Georgian": "10A0-10FF 1C90-1CBF 2D00-2D2F",
    "Hangul": "1100-11FF 3130-318F A960-A97F AC00-D7FF",
    "Ethiopic": "1200-139F 2D80-2DDF AB00-AB2F",
    "Khmer": "1780-17DD",
    "Mongolian": "1820-18AF",
    "Japanese": "3041-30FF 31F0-31FF FF66-FF9F",
    "Han": "3005-3007 3400-4DBF 4E00-9FFF F900-FAFF 20000-3347F",
}
"""Code points of letters and the marks that stand among them, in hexadecimal."""

_NAMES = (NO_SCRIPT, *_RANGES)
_LATIN, _KANA, _HAN = (_NAMES.index(name) for name in ("Latin", "Japanese", "Han"))


def _table() -> NDArray[np.intp]:
    """Code point -> index into `_NAMES`; 0 for what is no letter of a script known here."""
    table = np.zeros(0x33481, dtype=np.intp)
    for number, name in enumerate(_RANGES, start=1):
        for span in _RANGES[name].split():
            first, last = (int(end, 16) for end in span.split("-"))
            table[first : last + 1] = number
    return table


_TABLE = _table()


def main_script(text: str) -> str:
    """The script of a text, by its excerpt; `none` where there is no letter.

    That of most letters, but Latin only where no other has a fifth of them.
    """
    points = np.frombuffer(excerpt(text).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    letters = _TABLE.take(points, mode="clip")
    counts = np.bincount(letters, minlength=len(_NAMES)).tolist()
    counts[0] = 0
    if counts[_KANA] and counts[_KANA] >= _LEAST_KANA * (counts[_KANA] + counts[_HAN]):
        counts[_KANA] += counts[_HAN]
        counts[_HAN] = 0
    most = max(range(len(counts)), key=lambda script: script != _LATIN and counts[script])
    if counts[most] < _LEAST_BESIDE_LATIN * sum(counts):
        most = counts.index(max(counts))
    return _NAMES[most] if counts[most] else NO_SCRIPT
