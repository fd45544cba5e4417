"""Grafana's two themes, as far as pictures need them: its grounds, its letters, and the shades of its named colours."""

from typing import NamedTuple

FONT = "Inter, Liberation Sans, Arial, DejaVu Sans, sans-serif"
CLASSIC = ("green", "semi-dark-yellow", "blue", "orange", "red", "purple", "dark-green", "dark-yellow", "dark-blue")
"""Series that have no colour of their own get these, one after the other."""
SHADES = {
    "red": ("#FFA6B0", "#FF7383", "#F2495C", "#E02F44", "#C4162A", "#AD0317"),
    "orange": ("#FFCB7D", "#FFB357", "#FF9830", "#FF780A", "#FA6400", "#E55400"),
    "yellow": ("#FFF899", "#FFEE52", "#FADE2A", "#F2CC0C", "#E0B400", "#CC9D00"),
    "green": ("#C8F2C2", "#96D98D", "#73BF69", "#56A64B", "#37872D", "#19730E"),
    "blue": ("#C0D8FF", "#8AB8FF", "#5794F2", "#3274D9", "#1F60C4", "#1250B0"),
    "purple": ("#DEB6F2", "#CA95E5", "#B877D9", "#A352CC", "#8F3BB8", "#7C2EA3"),
}
"""From light to dark; the dark theme begins at the first, the light theme at the second."""
STEPS = ("super-light-{}", "light-{}", "{}", "semi-dark-{}", "dark-{}")


class Theme(NamedTuple):
    """One of the two."""

    name: str
    canvas: str
    panel: str
    border: str
    text: str
    weak: str
    grid: str
    shift: int

    def colour(self, name: str) -> str:
        """What that name looks like here."""
        if name in ("text", "transparent"):
            return self.text
        for hue, shades in SHADES.items():
            for place, step in enumerate(STEPS):
                if step.format(hue) == name:
                    return shades[place + self.shift]
        raise ValueError(f"{name} is no colour of Grafana's palette")

    def on(self, colour: str) -> str:
        """Letters that can be read on that ground."""
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return "#111217" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.58 else "#FFFFFF"


DARK = Theme("dark", "#111217", "#181B1F", "#2C2F36", "#CCCCDC", "#8E8F9C", "#2A2D33", 0)
LIGHT = Theme("light", "#F4F5F5", "#FFFFFF", "#E1E2E4", "#24292E", "#6A6D73", "#E8E9EA", 1)
