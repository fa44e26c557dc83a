"""Paint for the synthetic scene: palettes, cloth and skin textures, and the long picture the camera pans over."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """Colours (RGB) and patterns of one style. `grain` is the standard deviation of the film noise, 0..255."""

    sky: tuple[Colour, Colour]
    skyline: Colour
    lit: Colour
    wall: Colour
    wall_pattern: str
    mortar: Colour
    mural: tuple[Colour, Colour, Colour]
    plants: Colour
    ground: Colour
    ground_pattern: str
    kerb: Colour
    pole: Colour
    decoy: tuple[Colour, Colour]
    shirt: tuple[Colour, Colour, str]
    trouser: tuple[Colour, Colour, str]
    skin: Colour
    hair: Colour
    cap: tuple[Colour, Colour]
    shoe: tuple[Colour, Colour]
    board: tuple[Colour, Colour, Colour]
    grip: Colour
    wood: Colour
    wheel: tuple[Colour, Colour]
    shadow: float
    grain: float


LOOKS = {
    "original": Look(
        sky=((120, 170, 220), (205, 222, 232)), skyline=(112, 124, 142), lit=(226, 226, 205),
        wall=(158, 84, 66), wall_pattern="brick", mortar=(196, 178, 162),
        mural=((74, 132, 104), (236, 190, 60), (238, 214, 172)),
        plants=(92, 128, 62), ground=(168, 164, 156), ground_pattern="slabs", kerb=(206, 202, 192),
        pole=(112, 98, 130), decoy=((60, 150, 120), (235, 225, 190)),
        shirt=((232, 226, 214), (40, 66, 118), "stripes"), trouser=((34, 44, 84), (66, 82, 130), "denim"),
        skin=(208, 156, 124), hair=(66, 44, 32), cap=(( 214, 146, 36), (176, 110, 20)),
        shoe=((58, 84, 140), (104, 136, 196)), board=((188, 44, 142), (240, 150, 214), (132, 24, 104)),
        grip=(176, 40, 132), wood=(222, 96, 178), wheel=((246, 146, 220), (120, 24, 96)), shadow=0.5, grain=0.0,
    ),
    "reskin": Look(
        sky=((58, 40, 96), (244, 150, 112)), skyline=(46, 36, 74), lit=(255, 214, 120),
        wall=(92, 142, 146), wall_pattern="tiles", mortar=(52, 92, 102),
        mural=((226, 82, 112), (70, 40, 96), (250, 196, 150)),
        plants=(84, 52, 112), ground=(112, 108, 134), ground_pattern="planks", kerb=(74, 66, 92),
        pole=(38, 44, 62), decoy=((222, 120, 60), (60, 40, 60)),
        shirt=((196, 52, 66), (250, 220, 130), "plaid"), trouser=((196, 174, 132), (138, 116, 80), "camouflage"),
        skin=(122, 82, 62), hair=(24, 20, 24), cap=((60, 168, 158), (36, 120, 118)),
        shoe=((48, 52, 78), (104, 112, 158)), board=((222, 84, 146), (150, 226, 200), (170, 52, 120)),
        grip=(226, 84, 146), wood=(150, 226, 200), wheel=((90, 230, 190), (30, 90, 90)), shadow=0.42, grain=4.0,
    ),
}  # fmt: skip


def textures(look: Look, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Texture by name, uint8 [h, w, 3] RGB; rows run along the part's v axis, columns along u (bones: root to tip)."""
    shirt, trouser = (_cloth(*spec, size, rng) for spec, size in ((look.shirt, 160), (look.trouser, 128)))
    shin = trouser.copy()
    shin[:, -16:] = (shin[:, -16:] * 0.62).astype(np.uint8)  # turn-ups
    sleeve = np.rot90(_cloth(*look.shirt, 80, rng)).copy()
    sleeve[:, -12:-6] = look.shirt[1]
    skin = _speckled((48, 96), look.skin, 5, rng)
    return {
        "shirt": _flank(shirt, 1, 0.4),
        "sleeve": _flank(sleeve, 0, 0.45),
        "trouser": _flank(trouser, 0, 0.45),
        "trouser_shin": _flank(shin, 0, 0.45),
        "skin": _flank(skin, 0, 0.35),
        "neck": _flank((skin * 0.78).astype(np.uint8), 0, 0.3),
        "head": _flank(_face(look, rng), 1, 0.3),
        "shoe": _shoe(look, rng),
        "sole": _speckled((16, 64), look.shoe[1], 4, rng),
        "wood": _grain_of_wood((24, 160), look.wood, rng),
        "grip": _speckled((48, 256), look.grip, 20, rng),
        "graphic": _deck_graphic(look, rng),
        "metal": _flank(_speckled((24, 32), (150, 152, 156), 8, rng), 0, 0.4),
        "wheel": _wheel(look),
        "pole": _flank(_banded((64, 512), look.pole, rng), 0, 0.55),
    }


def backdrop(look: Look, metres: float, height: float, horizon: float, density: float, rng) -> np.ndarray:
    """The street behind the skater, uint8 [h, w, 3] RGB.

    Args:
        metres, height: of the street that it covers.
        horizon: height of the ground line under its upper edge, m.
        density: px per m.
    """
    w, h = round(metres * density), round(height * density)

    def y(above_ground: float) -> int:
        return round((horizon - above_ground) * density)

    # A generator for each kind of thing, so that the street is laid out alike at every size.
    air, houses, bricks, art, plants, floor = rng.spawn(6)
    image = np.empty((h, w, 3), np.uint8)
    ramp = np.linspace(0, 1, max(y(1.2), 1))[:, None, None]
    image[: y(1.2)] = (1 - ramp) * np.array(look.sky[0]) + ramp * np.array(look.sky[1])
    _clouds(image[: y(1.2)], density, air)
    _skyline(image, look, y, density, houses)
    _wall(image[y(1.68) : y(0.3)], look, density, bricks)
    _mural(image, look, y, density, art)
    image[y(1.73) : y(1.64)] = look.kerb
    image[y(1.64) : y(1.61)] = np.multiply(look.mortar, 0.5)
    _hedge(image, look, y, density, plants)
    _pavement(image[y(0.3) :], look, density, floor)
    image[y(0.3) : y(0.26)] = look.kerb
    image[y(0.26) : y(0.245)] = np.multiply(look.ground, 0.55)
    noise = rng.normal(0, 4.0, (h, w, 1))
    coarse = cv2.resize(rng.normal(0, 5.0, (h // 6 + 1, w // 6 + 1)), (w, h), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + noise + coarse[..., None], 0, 255).astype(np.uint8)


def leaning_board(look: Look, rng: np.random.Generator) -> np.ndarray:
    """Texture of the other board, the one that leans on the wall."""
    deck = _banded((64, 256), look.decoy[0], rng)
    for i in range(5):
        cv2.circle(deck, (30 + 48 * i, 32), 16, look.decoy[1], 5, cv2.LINE_AA)
    return deck


def _speckled(size: tuple[int, int], colour: Colour, spread: float, rng) -> np.ndarray:
    noise = (
        rng.normal(0, spread, (*size, 1))
        + 0.6 * cv2.GaussianBlur(rng.normal(0, spread * 4, size), (0, 0), 3)[..., None]
    )
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


def _banded(size: tuple[int, int], colour: Colour, rng) -> np.ndarray:
    bands = cv2.GaussianBlur(rng.normal(0, 60, (1, size[1])), (0, 0), 4)
    return np.clip(_speckled(size, colour, 5, rng) + bands[..., None], 0, 255).astype(np.uint8)


def _grain_of_wood(size: tuple[int, int], colour: Colour, rng) -> np.ndarray:
    lines = cv2.GaussianBlur(rng.normal(0, 40, size), (0, 0), sigmaX=14, sigmaY=0.7)
    return np.clip(np.array(colour) + 3 * lines[..., None], 0, 255).astype(np.uint8)


def _flank(texture: np.ndarray, axis: int, depth: float) -> np.ndarray:
    """Rounds a part: darker towards both sides of `axis`, the light from the upper left."""
    across = np.linspace(-1, 1, texture.shape[axis]) + 0.25
    light = np.clip(1.06 - depth * np.abs(across) ** 2.2, 0.25, 1.1)
    light = light[:, None, None] if axis == 0 else light[None, :, None]
    return np.clip(texture * light, 0, 255).astype(np.uint8)


def _cloth(base: Colour, accent: Colour, pattern: str, size: int, rng) -> np.ndarray:
    cloth = _speckled((size, size), base, 5, rng).astype(np.float32)
    rows, columns = np.mgrid[:size, :size]
    tint = np.array(accent, np.float32)
    if pattern == "stripes":
        cover = ((rows % 26) < 11).astype(np.float32)
    elif pattern == "plaid":
        cover = 0.45 * ((rows % 34) < 13) + 0.45 * ((columns % 34) < 13) + 0.3 * ((rows % 34) == 24)
    elif pattern == "camouflage":
        blobs = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 7)
        cover = np.select([blobs > 0.03, blobs < -0.035], [0.9, 0.35], 0.0)
    else:
        cover = 0.35 + 0.35 * (((rows + columns) % 6) < 2) + 0.3 * ((rows % 43) == 20)
    cloth += np.asarray(cover, np.float32)[..., None] * (tint - np.array(base, np.float32))
    folds = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), sigmaX=9, sigmaY=5)
    return np.clip(cloth * (1 + 2.2 * folds[..., None]), 0, 255).astype(np.uint8)


def _face(look: Look, rng) -> np.ndarray:
    face = _speckled((160, 128), look.skin, 3, rng)
    dark = tuple(int(c * 0.72) for c in look.skin)
    face[58:118, :26] = face[58:104, 112:] = 0
    face[58:118, :26] = look.hair
    face[58:100, 114:] = look.hair
    cv2.ellipse(face, (30, 92), (8, 14), 0, 0, 360, dark, -1, cv2.LINE_AA)
    for x in (62, 96):
        cv2.ellipse(face, (x, 78), (9, 5), 0, 0, 360, (244, 240, 234), -1, cv2.LINE_AA)
        cv2.circle(face, (x + 3, 78), 4, (38, 30, 28), -1, cv2.LINE_AA)
        cv2.line(face, (x - 10, 67), (x + 9, 66), look.hair, 4, cv2.LINE_AA)
    cv2.line(face, (82, 78), (88, 98), dark, 4, cv2.LINE_AA)
    cv2.line(face, (88, 99), (78, 101), dark, 4, cv2.LINE_AA)
    cv2.ellipse(face, (80, 118), (15, 5), 0, 0, 180, (148, 62, 60), 4, cv2.LINE_AA)
    cv2.ellipse(face, (76, 128), (50, 30), 0, 20, 160, dark, 3, cv2.LINE_AA)
    face[:60] = _speckled((60, 128), look.cap[0], 6, rng)
    for x in range(4, 128, 9):
        cv2.line(face, (x, 0), (x, 42), look.cap[1], 2, cv2.LINE_AA)
    face[40:60] = _speckled((20, 128), look.cap[1], 8, rng)
    return face


def _shoe(look: Look, rng) -> np.ndarray:
    shoe = _speckled((64, 140), look.shoe[0], 6, rng)
    for i in range(4):
        cv2.line(shoe, (62 + 13 * i, 8 + 7 * i), (76 + 13 * i, 22 + 6 * i), look.shoe[1], 3, cv2.LINE_AA)
    stripe = np.array([(30, 60), (52, 20), (64, 24), (46, 60)], np.int32)
    cv2.fillPoly(shoe, [stripe], look.shoe[1], cv2.LINE_AA)
    return shoe


def _deck_graphic(look: Look, rng) -> np.ndarray:
    base, second, dark = look.board
    deck = _speckled((72, 320), base, 6, rng)
    for i in range(7):
        x = 10 + 46 * i
        chevron = np.array([(x, 0), (x + 18, 0), (x + 40, 36), (x + 18, 72), (x, 72), (x + 22, 36)], np.int32)
        cv2.fillPoly(deck, [chevron], second if i % 2 else dark, cv2.LINE_AA)
    cv2.circle(deck, (160, 36), 25, dark, -1, cv2.LINE_AA)
    cv2.circle(deck, (160, 36), 17, second, -1, cv2.LINE_AA)
    cv2.circle(deck, (160, 36), 8, base, -1, cv2.LINE_AA)
    return deck


def _wheel(look: Look) -> np.ndarray:
    wheel = np.full((32, 32, 3), look.wheel[0], np.uint8)
    cv2.circle(wheel, (16, 16), 9, look.wheel[1], -1, cv2.LINE_AA)
    cv2.line(wheel, (16, 16), (16, 1), look.wheel[1], 5)
    return wheel


def _clouds(sky: np.ndarray, density: float, rng) -> None:
    h, w = sky.shape[:2]
    small = rng.normal(0, 1, (max(h // 4, 2), max(w // 4, 2)))
    cloud = cv2.GaussianBlur(small, (0, 0), sigmaX=0.09 * density, sigmaY=0.035 * density)
    cloud = cv2.resize(cloud / (cloud.std() + 1e-6), (w, h))
    cover = np.clip(cloud - 0.4, 0, 1)[..., None] * 0.55
    sky[:] = sky + cover * (255 - sky.astype(np.float32)) * 0.8


def _skyline(image: np.ndarray, look: Look, y, density: float, rng) -> None:
    x = 0.0
    lights = rng.spawn(1)[0]
    while x < image.shape[1]:
        wide, tall = rng.uniform(0.45, 1.1) * density, rng.uniform(1.85, 2.4)
        shade = np.multiply(look.skyline, rng.uniform(0.82, 1.12)).clip(0, 255)
        image[y(tall) : y(1.7), int(x) : int(x + wide)] = shade
        step = max(2, round(0.09 * density))
        for row in range(y(tall) + step // 2, y(1.72), step):
            for column in range(int(x) + step // 2, int(x + wide) - step // 2, step):
                if lights.random() < 0.55 and column < image.shape[1]:
                    image[row : row + step // 2, column : column + max(1, step // 3)] = look.lit
        x += wide + rng.uniform(0.0, 0.25) * density


def _wall(wall: np.ndarray, look: Look, density: float, rng) -> None:
    h, w = wall.shape[:2]
    wall[:] = look.mortar
    course, length = (0.085, 0.24) if look.wall_pattern == "brick" else (0.16, 0.16)
    gap = max(1, round(0.011 * density))
    for i, top in enumerate(np.arange(0, h / density, course)):
        shift = (i % 2) * length / 2 if look.wall_pattern == "brick" else 0.0
        for left in np.arange(-shift, w / density, length):
            y0, x0 = round(top * density), max(0, round(left * density))
            y1, x1 = round((top + course) * density) - gap, round((left + length) * density) - gap
            tone = rng.normal(1.0, 0.1)
            wall[y0:y1, x0:x1] = np.clip(np.multiply(look.wall, tone) + rng.normal(0, 5, 3), 0, 255)
    stain = cv2.GaussianBlur(rng.normal(0, 1, (h // 4 + 1, w // 4 + 1)), (0, 0), 0.08 * density)
    stain = cv2.resize(stain / (stain.std() + 1e-6), (w, h))[..., None]
    wall[:] = np.clip(wall * (1 + 0.07 * stain), 0, 255)


def _mural(image: np.ndarray, look: Look, y, density: float, rng) -> None:
    """Painted shapes and posters along the wall: big corners for the camera motion to hold on to."""
    x = rng.uniform(0.5, 1.0)
    while x * density < image.shape[1]:
        lines = rng.spawn(1)[0]
        colours = [look.mural[i] for i in rng.permutation(3)]
        centre = (round(x * density), y(rng.uniform(1.0, 1.15)))
        size = rng.uniform(0.2, 0.32) * density
        kind = rng.integers(3)
        if kind == 0:
            for i, part in enumerate((1.0, 0.7, 0.4)):
                cv2.circle(image, centre, round(size * part), colours[i], -1, cv2.LINE_AA)
        elif kind == 1:
            turn = np.linspace(0, 2 * np.pi, 10, endpoint=False) + rng.uniform(0, 1)
            reach = np.where(np.arange(10) % 2, 0.45, 1.0) * size * 1.15
            star = np.array(centre) + reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            cv2.fillPoly(image, [np.round(star).astype(np.int32)], colours[0], cv2.LINE_AA)
        else:
            a, b = np.array(centre) - round(size * 0.8), np.array(centre) + round(size)
            cv2.rectangle(image, a.tolist(), b.tolist(), look.mural[2], -1)
            for row in range(int(a[1] + size * 0.2), int(b[1] - size * 0.2), max(3, round(size * 0.22))):
                end = int(b[0] - size * lines.uniform(0.1, 0.7))
                cv2.line(
                    image, (int(a[0] + size * 0.15), row), (end, row), look.mural[row % 2], max(1, round(size * 0.08))
                )
        x += rng.uniform(1.0, 1.7)


def _hedge(image: np.ndarray, look: Look, y, density: float, rng) -> None:
    """Grass along the foot of the wall."""
    for _ in range(int(image.shape[1] / density * 170)):
        x, tall = rng.uniform(0, image.shape[1]), rng.gamma(3.0, 0.02)
        tip = (round(x + rng.normal(0, 0.025) * density), y(0.29 + tall))
        colour = np.multiply(look.plants, rng.uniform(0.6, 1.3)).clip(0, 255).tolist()
        cv2.line(image, (round(x), y(0.29)), tip, colour, max(1, round(0.012 * density)), cv2.LINE_AA)


def _pavement(ground: np.ndarray, look: Look, density: float, rng) -> None:
    h, w = ground.shape[:2]
    ground[:] = look.ground
    rows = (0.0, 0.17, 0.4) if look.ground_pattern == "slabs" else (0.0, 0.1, 0.2, 0.31, 0.43, 0.55)
    length = 0.62 if look.ground_pattern == "slabs" else 1.3
    dark = np.multiply(look.ground, 0.62).tolist()
    for i, top in enumerate(rows):
        y0, y1 = round(top * density), round((rows[i + 1] if i + 1 < len(rows) else 9.0) * density)
        for left in np.arange(-rng.uniform(0, length), w / density, length):
            x0, x1 = max(0, round(left * density)), max(0, round((left + length) * density))
            ground[y0:y1, x0:x1] = np.clip(np.multiply(look.ground, rng.normal(1, 0.05)), 0, 255)
            cv2.line(ground, (x0, y0), (x0 - round(0.02 * density), min(y1, h)), dark, 1, cv2.LINE_AA)
        cv2.line(ground, (0, y0), (w, y0), dark, 1, cv2.LINE_AA)
    for _ in range(int(w / density * 60)):
        spot = (int(rng.integers(w)), int(rng.integers(h)))
        tone = rng.uniform(0.55, 1.2)
        radius = max(1, round(rng.uniform(0.003, 0.012) * density))
        cv2.circle(ground, spot, radius, np.multiply(look.ground, tone).clip(0, 255).tolist(), -1, cv2.LINE_AA)
