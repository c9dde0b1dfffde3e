"""Bad photos, archives and downloads; and odd photos, which just work."""
import hashlib
import io
import json
import shutil
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import call, contents, make_voc, photo
from PIL import Image, ImageFile, features
from recording import Table, refused

from dqsstn import data
from dqsstn.data import ImageBank, bank_from_photos, load_photo, photo_size
from dqsstn.files import InputError
from dqsstn.formats import download_voc
from dqsstn.voc import voc_items

table = Table(__file__)

# photos

def bytes_of(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()

def png(width, height):
    "A PNG of nothing that claims to be so large"
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    parts = [chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)),
             chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

WHOLE, UNREADABLE = bytes_of(photo()), ["bad.jpg: unreadable photo"]
PHOTOS = {
    "a missing photo": (None, ["bad.jpg: no such file"]),
    "a folder": ("folder", UNREADABLE),
    "an empty file": (b"", UNREADABLE),
    "one byte": (WHOLE[:1], UNREADABLE),
    "a text": (b"no photo", UNREADABLE),
    "a JPEG cut off near its end": (WHOLE[:-300], UNREADABLE),
    "a JPEG that lacks its last two bytes": (WHOLE[:-2], UNREADABLE),
    "a PNG of 90 million pixels in 1 kB": (png(10_000, 9_000), ["bad.jpg: claims 10000x9000 pixels"]),
    "a PNG of 400 million pixels in 1 kB": (png(20_000, 20_000), UNREADABLE),
    "a PNG of 4.6 quintillion pixels in 1 kB": (png(2**31 - 1, 2**31 - 1), UNREADABLE),
    "a PNG of 0 pixels": (png(0, 64), UNREADABLE),
    "a PostScript program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 64\n", UNREADABLE),
}

@pytest.mark.parametrize("case, content, words", table.cases("photos", PHOTOS))
def test_broken_photos(case, run, folder, content, words):
    "As one of several to predict, and as one of a data set"
    photo().save("good.jpg")
    voc = make_voc("voc", splits=("train",))
    paths = Path("bad.jpg"), voc/"JPEGImages"/"000003.jpg"
    paths[1].unlink()
    for path in paths:
        if content == "folder": path.mkdir()
        elif content is not None: path.write_bytes(content)
    message = refused(["predict", str(run), "good.jpg", "bad.jpg", "--json", "out.json", "--filmstrip", "strips"],
                      *words)
    assert refused("data describe --voc voc --years 2007 --json out.json").replace(str(paths[1]), "bad.jpg") == message
    figures = json.loads(call("data describe --voc voc --years 2007 --json - --skip-bad").stdout)
    assert (figures["n_images"], list(figures["skipped"])) == (7, ["000003"])
    case.left_out(message)

READERS = (lambda path: voc_items("voc", years=(2007,)), load_photo, lambda path: bank_from_photos([path], 32))

def test_jpeg_cut_off_everywhere(run, folder, case=table.case("photos", "a JPEG cut off at every tenth byte")):
    voc = make_voc("voc", n=1, splits=("train",))
    path = voc/"JPEGImages"/"000000.jpg"
    for end in range(0, len(WHOLE), 10):
        path.write_bytes(WHOLE[:end])
        for read in READERS:
            with pytest.raises(InputError) as error: read(path)
            assert "000000.jpg: unreadable photo" in str(error.value) and "\n" not in str(error.value)
        assert list(voc_items("voc", years=(2007,), skip_bad=True).skipped) == ["000000"]
    path.write_bytes(WHOLE[:len(WHOLE) // 2])
    case.left_out(refused("data describe --voc voc --years 2007 --json out.json"))

@pytest.mark.parametrize("case, kind, missing", table.cases("photos", {
    "a PNG cut off at every tenth byte": ("PNG", 24), "a GIF cut off at every tenth byte": ("GIF", 2),
    "a WebP cut off at every tenth byte": ("WEBP", 0),
    "a BMP cut off at every tenth byte": ("BMP", 0), "a TIFF cut off at every tenth byte": ("TIFF", 0)}))
def test_other_photos_cut_off_everywhere(case, run, folder, kind, missing):
    "Refused, but for those that lack at most the last `missing` bytes (checksums and marks of the end)"
    path, whole = Path(f"bad.{kind.lower()}"), bytes_of(photo(size=(48, 32)), kind)
    path.write_bytes(whole)
    pixels = np.asarray(load_photo(path))
    for end in range(0, len(whole), 10):
        path.write_bytes(whole[:end])
        try: read = load_photo(path)
        except InputError as e: assert "\n" not in str(e)
        else: assert end >= len(whole) - missing and np.array_equal(read, pixels)
    path.write_bytes(whole[:len(whole) // 2])
    case.refused(refused(["predict", str(run), str(path), "--json", "out.json"], str(path), "unreadable photo"))

def odd_photos():
    "What is odd about a photo → (file, photo, options of saving it); all show the same, but for the last three"
    upright, grey, exif = photo(), photo().convert("L"), Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "a photo in grey": ("grey.png", grey, {}), "black and white": ("bilevel.png", grey.convert("1"), {}),
        "CMYK": ("cmyk.jpg", upright.convert("CMYK"), {}), "a palette": ("palette.gif", upright.convert("P"), {}),
        "a palette with a transparent colour": ("transparent.png", upright.convert("P"), dict(transparency=0)),
        "transparency": ("rgba.png", upright.convert("RGBA"), {}),
        "transparency in grey": ("la.png", grey.convert("LA"), {}),
        "16 bits": ("deep.png", deep, {}), "16 bits in a TIFF": ("deep.tif", deep, {}),
        "a photo on its side": ("lying.jpg", upright.transpose(Image.Transpose.ROTATE_90), dict(exif=exif)),
        "a name with spaces and non-ASCII letters": ("drei Löwen 写真.png", upright, {}),
        "a suffix that says something else": ("png.jpg", upright, dict(format="PNG")),
        "1x1 pixels": ("one.png", upright.resize((1, 1)), {}),
        "20000x30 pixels": ("wide.jpg", upright.resize((20_000, 30)), {}),
        "30x20000 pixels": ("high.jpg", upright.resize((30, 20_000)), {})}

ODD = [table.case("photos", name) for name in odd_photos()]

def test_odd_photos(run, folder):
    files = odd_photos().values()
    for file, image, options in files: image.save(file, **options)
    line = ["predict", str(run), *(file for file, *_ in files), "--filmstrip", "strips", "--json", "-"]
    predictions = json.loads(call(line).stdout)
    assert len(list(Path("strips").iterdir())) == len(files)
    for case, (file, image, options), prediction in zip(ODD, files, predictions, strict=True):
        w, h = image.size[::-1] if "exif" in options else image.size
        x1, y1, x2, y2 = prediction["window"]
        assert prediction["image"] == file and 0 <= x1 < x2 <= w and 0 <= y1 < y2 <= h
        case.works(f"predicted, with a window inside its {w}x{h} pixels")

# metadata

def segment(content, marker=0xE1): return struct.pack(">BBH", 255, marker, len(content) + 2) + content
def tag(number, kind, count, value): return struct.pack("<HHI", number, kind, count) + value
def turn(value=6, kind=3, count=1): return tag(0x0112, kind, count, struct.pack("<HH", value, 0))

def exif(*tags, n=None, after=0, start=b"II*\0\x08\0\0\0", more=b""):
    "An EXIF block of little-endian tags, whose number may be wrong"
    count = struct.pack("<H", len(tags) if n is None else n)
    return b"Exif\0\0" + start + count + b"".join(tags) + struct.pack("<I", after) + more

XMP = b"http://ns.adobe.com/xap/1.0/\0"
WIDE, RATIONAL = tag(0x0128, 2, 1, b"cm\0\0"), tag(0x011A, 2, 4, b"72\0\0")  # texts where numbers belong
UPRIGHT = {
    "EXIF of nothing": b"Exif\0\0", "EXIF cut off in its header": exif(turn())[:12],
    "EXIF cut off in a tag": exif(turn())[:20], "EXIF of zeros": b"Exif\0\0" + bytes(50),
    "EXIF of random bytes": b"Exif\0\0" + bytes(range(256)), "EXIF that is a text": b"Exif\0\0 taken in May",
    "EXIF without its zeros": b"Exif" + exif(turn())[6:],
    "EXIF in the order of bytes of nobody": exif(turn(), start=b"XX*\0\x08\0\0\0"),
    "EXIF in the other order of bytes": exif(turn(), start=b"MM\0*\0\0\0\x08"),
    "EXIF that begins at byte 4 billion": exif(turn(), start=b"II*\0\xff\xff\xff\xff"),
    "an orientation of 0": exif(turn(0)), "an orientation of 9": exif(turn(9)),
    "an orientation of 65535": exif(turn(65535)),
    "an orientation in letters": exif(tag(0x0112, 2, 2, b"6\0\0\0")),
    "an orientation of NaN": exif(tag(0x0112, 11, 1, struct.pack("<f", float("nan")))),
    "an orientation of six over zero": exif(tag(0x0112, 5, 1, struct.pack("<I", 26)), more=struct.pack("<II", 6, 0)),
    "an orientation of bytes": exif(tag(0x0112, 7, 4, b"\6\0\0\0")),
    "an orientation of no kind": exif(turn(kind=0)), "an orientation of an unknown kind": exif(turn(kind=99)),
    "4 billion orientations": exif(turn(count=2**32 - 1)), "an orientation that is not there": exif(turn(count=0)),
    "XMP with an orientation of 9": XMP + b'<x tiff:Orientation="9"/>', "XMP of random bytes": XMP + bytes(range(256)),
}
TURNED = {
    "EXIF with 65535 tags, of which one is there": exif(turn(), n=65535),
    "EXIF that points to itself": exif(turn(), after=8),
    "EXIF within itself": exif(turn(), tag(0x8769, 4, 1, struct.pack("<I", 8))),
    "EXIF of GPS at byte 4 billion": exif(turn(), tag(0x8825, 4, 1, b"\xff" * 4)),
    "EXIF with a unit in letters": exif(turn(), WIDE), "EXIF with a resolution in letters": exif(turn(), RATIONAL),
    "EXIF with a note of 2 GB": exif(turn(), tag(0x927C, 7, 2**31, b"\0" * 4)),
    "EXIF cut off behind its tags": exif(turn())[:-3],
}
METADATA = {name: (block, 1) for name, block in UPRIGHT.items()} | {name: (b, 6) for name, b in TURNED.items()}

@pytest.mark.parametrize("case, block, orientation", table.cases("metadata", METADATA))
def test_odd_metadata(case, folder, capfd, recwarn, block, orientation):
    "Pixels that decode are a photo; its orientation is 6 (the left column is the top row) or unknown, which is upright"
    voc = make_voc("voc", n=1, splits=("train",))
    path = voc/"JPEGImages"/"000000.jpg"
    path.write_bytes(WHOLE[:2] + segment(block) + WHOLE[2:])
    stored = np.asarray(Image.open(io.BytesIO(WHOLE)))
    shown = np.asarray(load_photo(path))
    assert np.array_equal(shown, stored if orientation == 1 else np.rot90(stored, -1))
    item, = voc_items("voc", years=(2007,))
    assert (photo_size(path), item.size) == (((96, 64), orientation), shown.shape[1::-1])
    assert np.array_equal(bank_from_photos([path], 32).photos, ImageBank(voc_items("voc", years=(2007,)), 32).photos)
    assert capfd.readouterr() == ("", "") and not recwarn.list
    case.works("upright" if orientation == 1 else "turned as it says")

UPRIGHT_BY = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
              6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}

@pytest.mark.parametrize("orientation", UPRIGHT_BY)
@pytest.mark.parametrize("kind, options", [("PNG", {}), ("TIFF", {}), ("WEBP", dict(lossless=True)), ("JPEG", {})])
def test_orientations(folder, kind, options, orientation):
    "A photo as stored has 96x64 pixels, in whatever file, and is shown as the EXIF standard says"
    meta = Image.Exif()
    meta[0x0112] = orientation
    photo().save("turned", kind, exif=meta, **options)
    stored = np.asarray(photo() if kind != "JPEG" else Image.open(io.BytesIO(WHOLE)))
    assert np.array_equal(load_photo("turned"), UPRIGHT_BY[orientation](stored))
    assert photo_size("turned") == ((96, 64), orientation)
    bank = bank_from_photos(["turned"], 32)
    assert bank.items[0].size == ((96, 64) if orientation < 5 else (64, 96))

def png_with(name, body):
    "A PNG with one more chunk before its pixels"
    whole = bytes_of(photo(), "PNG")
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return whole[:33] + chunk + whole[33:]

@pytest.mark.parametrize("case, file, content", table.cases("metadata", {
    "a PNG with EXIF of random bytes": ("a.png", png_with(b"eXIf", bytes(range(256)))),
    "a PNG with EXIF as text that is none": ("a.png", png_with(b"tEXt", b"Raw profile type exif\0\nexif\n  9\nxyz")),
    "a WebP with EXIF of random bytes": ("a.webp", bytes_of(photo(), "WEBP", lossless=True, exif=bytes(range(256)))),
    "a TIFF with an orientation of 9": ("a.tif", bytes_of(photo(), "TIFF", tiffinfo={0x0112: 9})),
}))
def test_odd_metadata_elsewhere(case, folder, capfd, recwarn, file, content):
    Path(file).write_bytes(content)
    assert np.array_equal(load_photo(file), photo()) and photo_size(file) == ((96, 64), 1)
    assert capfd.readouterr() == ("", "") and not recwarn.list
    case.works("upright")

def test_no_thread_shows_a_warning(folder, recwarn):
    "Two photos are read at once; the one that begins first ends first"
    Path("odd.jpg").write_bytes(WHOLE[:2] + segment(exif(turn(), n=65535)) + WHOLE[2:])
    first, second = data._opened("odd.jpg"), data._opened("odd.jpg")
    filters = warnings.filters[:]
    warnings.simplefilter("always")
    shown = warnings.filters[:]
    first.__enter__()
    image = second.__enter__()
    first.__exit__(None, None, None)
    image.getexif()
    second.__exit__(None, None, None)
    assert not recwarn.list and warnings.filters == shown
    warnings.filters[:] = filters

# formats

def heic(brand=b"heic"): return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"mif1" + bytes(100)

def register_heif_opener():
    "What pillow_heif does, for a file whose pixels are those of `photo`"
    class File(ImageFile.ImageFile):
        format = "HEIF"
        def _open(self):
            self._size, self._mode = (96, 64), "RGB"
            self.tile = []
        def load(self):
            self.im = photo().im
            return super().load()
    Image.register_open("HEIF", File, lambda start: start[4:8] == b"ftyp")

@pytest.mark.parametrize("case, file", table.cases("photos", {
    "a HEIC photo without pillow-heif": "bad.heic", "a HEIC photo called .jpg without pillow-heif": "bad.jpg"}))
def test_heic(case, run, folder, monkeypatch, file):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Path(file).write_bytes(heic())
    words = f"{file}: is a HEIC photo", "pip install pillow-heif"
    case.refused(refused(["predict", str(run), file, "--json", "out.json"], *words))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register_heif_opener))
        patch.setattr(Image, "OPEN", Image.OPEN.copy())
        patch.setattr(Image, "ID", Image.ID.copy())
        assert np.array_equal(load_photo(file), photo()) and photo_size(file) == ((96, 64), 1)

def test_avif(folder, monkeypatch, case=table.case("photos", "an AVIF photo, where Pillow reads none")):
    Path("bad.jpg").write_bytes(heic(b"avif"))
    monkeypatch.setattr(features, "get_supported_modules", list)
    with pytest.raises(InputError) as error: load_photo("bad.jpg")
    assert "bad.jpg: is an AVIF photo" in str(error.value) and "pip install -U pillow" in str(error.value)
    case.refused(str(error.value))

def test_video(folder, case=table.case("photos", "a video called .jpg")):
    Path("bad.jpg").write_bytes(heic(b"isom").replace(b"mif1", b"mp42"))
    with pytest.raises(InputError) as error: load_photo("bad.jpg")
    assert "bad.jpg: unreadable photo" in str(error.value)
    case.refused(str(error.value))

def test_odd_photos_can_be_trained_on(folder):
    voc = make_voc("voc")
    for i, (file, image, options) in enumerate(list(odd_photos().values())[:8]):
        image.save(file, **options)
        shutil.copy(file, voc/"JPEGImages"/f"{i:06d}.jpg")
    figures = json.loads(call("data describe --voc voc --years 2007 --json -").stdout)
    assert (figures["n_images"], figures["n_skipped"]) == (8, 0)

# archives

@pytest.fixture
def devkit(folder, monkeypatch):
    "A devkit of one photo; archives are unpacked into an empty folder beside it"
    monkeypatch.setenv("DQSSTN_CACHE", "cache")
    Path("cache").mkdir()
    make_voc("voc", n=1, splits=("train",))
    return "voc"

def member(name, kind=tarfile.REGTYPE, target="", size=1):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size if kind == tarfile.REGTYPE else 0
    return info

def tar(*members, mode="w", end=None):
    "Makes an archive of the devkit and `members`, cut off at byte `end`"
    def make(devkit):
        path = Path("devkit.tar.gz" if "gz" in mode else "devkit.tar")
        with tarfile.open(path, mode) as archive:
            archive.add(f"{devkit}/VOCdevkit", "VOCdevkit")
            for info in members: archive.addfile(info, io.BytesIO(b"x"))
        if end: path.write_bytes(path.read_bytes()[:end])
        return path
    return make

def zipped(*members, change=lambda content: content):
    "Makes the same as .zip; `members` are (name, content)"
    def make(devkit):
        path = Path(shutil.make_archive("devkit", "zip", devkit))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members: archive.writestr(name, content)
        path.write_bytes(change(path.read_bytes()))
        return path
    return make

def written(name, content):
    def make(devkit):
        Path(name).write_bytes(content)
        return Path(name)
    return make

def encrypted(content):
    "The bit of encryption set in every header"
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        parts = content.split(mark)
        content = mark.join([parts[0], *(p[:at - 4] + bytes([p[at - 4] | 1]) + p[at - 3:] for p in parts[1:])])
    return content

def wrong_byte(content):
    at = content.index(b".jpg") + 100
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1:]

def zip_link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, target

HUGE = member("VOCdevkit/VOC2007/big", size=8 * 10 ** 15).tobuf(tarfile.GNU_FORMAT) + bytes(10_240)
OUT, LINK = ["leads out of it"], ["is a link or a device"]
ARCHIVES = {
    "a name with ..": (tar(member("VOCdevkit/../../evil")), OUT),
    "a name from the root": (tar(member("/evil")), OUT),
    "a name from the root, in a VOCdevkit": (tar(member("/VOCdevkit/evil")), OUT),
    "a name with .. and backslashes": (tar(member("VOCdevkit\\..\\..\\evil")), OUT),
    "a name with a drive": (tar(member("VOCdevkit/C:evil")), OUT),
    "a symbolic link": (tar(member("VOCdevkit/VOC2007/link", tarfile.SYMTYPE, "/etc/passwd")), LINK),
    "a file behind a symbolic link": (tar(member("VOCdevkit/link", tarfile.SYMTYPE, "../.."),
                                          member("VOCdevkit/link/evil")), LINK),
    "a hard link": (tar(member("VOCdevkit/VOC2007/link", tarfile.LNKTYPE, "/etc/passwd")), LINK),
    "a device": (tar(member("VOCdevkit/VOC2007/zero", tarfile.CHRTYPE)), LINK),
    "a pipe": (tar(member("VOCdevkit/VOC2007/pipe", tarfile.FIFOTYPE)), LINK),
    "a file of 8 petabytes, as its header says": (written("devkit.tar", HUGE), ["more than a hundred times its size"]),
    "a .tar cut off": (tar(end=3000), ["cannot be unpacked"]),
    "a .tar.gz cut off": (tar(mode="w:gz", end=1000), ["cannot be unpacked"]),
    "an empty .tar": (written("devkit.tar", bytes(10_240)), ["holds no VOCdevkit"]),
    "a text called .tar": (written("devkit.tar", b"no archive"), ["is no archive"]),
    "an empty file called .zip": (written("devkit.zip", b""), ["is no archive"]),
    "a .zip with ..": (zipped(("VOCdevkit/../../evil", "x")), OUT),
    "a .zip with a symbolic link": (zipped(zip_link("VOCdevkit/VOC2007/link", "/etc/passwd")), LINK),
    "a .zip that holds 50 MB of zeros": (zipped(("VOCdevkit/VOC2007/zeros", bytes(50_000_000))),
                                         ["more than a hundred times its size"]),
    "a .zip with a password": (zipped(change=encrypted), ["cannot be unpacked", "encrypted"]),
    "a .zip cut off": (zipped(change=lambda content: content[:-30]), ["is no archive"]),
    "a .zip with a wrong byte": (zipped(change=wrong_byte), ["cannot be unpacked"]),
}

@pytest.mark.parametrize("case, make, words", table.cases("archives", ARCHIVES))
def test_broken_archives(case, devkit, make, words):
    archive = make(devkit)
    case.refused(refused(f"data describe --voc {archive} --years 2007 --json out.json", archive.name, *words))

@pytest.mark.parametrize("case, make", table.cases("archives", {
    "a .tar.gz": tar(mode="w:gz"), "a .zip": zipped(), "other files beside the devkit": tar(member("readme.txt"))}))
def test_good_archives(case, devkit, make):
    archive = make(devkit)
    assert json.loads(call(f"data describe --voc {archive} --years 2007 --json -").stdout)["n_images"] == 1
    assert {p.parts[2] for p in Path("cache").glob("*/*")} == {"VOCdevkit"}
    case.works("unpacked, the files under VOCdevkit alone")

@pytest.mark.parametrize("case, served, sha256, words", table.cases("archives", {
    "a download of something else": ("devkit.tar", hashlib.sha256(b"another").hexdigest(),
                                     ["could not be downloaded", "invalid hash value"]),
    "a download that is not there": ("nowhere.tar", "", ["could not be downloaded", "nowhere.tar"]),
}))
def test_bad_downloads(case, devkit, served, sha256, words):
    "A folder stands in for the host"
    tar()(devkit)
    Path("new/VOCdevkit").mkdir(parents=True)
    before = contents()
    with pytest.raises(InputError) as error:
        download_voc("new", (2012,), Path.cwd().as_uri(), {2012: (served, sha256)})
    assert contents() == before and all(word in str(error.value) for word in words)
    case.refused(str(error.value))

def test_good_download(devkit):
    archive = tar()(devkit)
    archives = {2007: (archive.name, hashlib.sha256(archive.read_bytes()).hexdigest())}
    arrived = download_voc("new", (2007,), Path.cwd().as_uri(), archives)
    assert [i.boxes for i in voc_items(arrived, years=(2007,))] == [i.boxes for i in voc_items("voc", years=(2007,))]
    assert [p.name for p in Path("new/VOCdevkit").iterdir()] == ["VOC2007"]

def test_table(): table.check()
