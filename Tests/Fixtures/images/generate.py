"""Makes the files of this folder with Pillow 13.0.0 and numpy: images that exercise the decoders, and in
expected.safetensors what Pillow makes of them. Run in this folder: python3 generate.py"""
import io, json, struct, zlib
import numpy as np
from PIL import Image, ImageOps

W, H = 13, 9
rng = np.random.RandomState(7)
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 19 % 256, y * 28 % 256, (x * y * 5 + 40) % 256], -1).astype(np.uint8)
alpha = (rng.randint(0, 256, (H, W)) * (rng.rand(H, W) > 0.3)).astype(np.uint8)
expected, files = {}, {}


def keep(name, array):
    expected["output." + name] = np.ascontiguousarray(array)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(bits, color, rows, extra=b"", interlace=0, w=W, h=H):
    """A PNG from raw rows (bytes without the filter byte)."""
    head = struct.pack(">IIBBBBB", w, h, bits, color, 0, 0, interlace)
    data = b"".join(b"\0" + bytes(r) for r in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def packed(values, bits):
    rows = []
    for row in values:
        text = "".join(format(int(v), "0%db" % bits) for v in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return rows


def adam7(image):
    rows = []
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = image[y0::dy, x0::dx]
        rows += [r.tobytes() for r in part if r.size]
    return rows


def add(name, data):
    open(name, "wb").write(data)
    files[name] = data
    image = Image.open(io.BytesIO(data))
    image = ImageOps.exif_transpose(image)
    keep(name, np.asarray(image.convert("RGB")))
    if image.mode in ("RGBA", "LA", "P", "L", "RGB") and ("transparency" in image.info or "A" in image.mode):
        keep(name + ".rgba", np.asarray(image.convert("RGBA")))


for bits in (1, 2, 4):
    add("grey%d.png" % bits, png(bits, 0, packed((x + y) % (1 << bits), bits)))
    palette = rng.randint(0, 256, 3 << bits).astype(np.uint8).tobytes()
    add("palette%d.png" % bits, png(bits, 3, packed((x * y) % (1 << bits), bits), chunk(b"PLTE", palette)))
add("grey8_transparent.png", png(8, 0, [r.tobytes() for r in rgb[..., 0]], chunk(b"tRNS", struct.pack(">H", 38))))
add("rgb8_transparent.png", png(8, 2, [r.tobytes() for r in rgb], chunk(b"tRNS", struct.pack(">HHH", *map(int, rgb[3, 4])))))
add("rgb8_interlaced.png", png(8, 2, adam7(rgb), interlace=1))
add("rgb16_interlaced.png", png(16, 2, adam7((rgb.astype(">u2") * 257 + 3).astype(">u2")), interlace=1))
deep = np.concatenate([rgb.astype(np.uint16) * 251, (alpha.astype(np.uint16) * 257)[..., None]], -1).astype(">u2")
add("rgba16.png", png(16, 6, [r.tobytes() for r in deep]))


def jpeg(image, **options):
    target = io.BytesIO()
    image.save(target, "JPEG", **options)
    return target.getvalue()


base = Image.fromarray(rgb)
for turn in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = turn
    add("turn%d.jpg" % turn, jpeg(base, quality=90, subsampling=0, exif=exif))
add("cmyk_adobe.jpg", jpeg(base.convert("CMYK"), quality=95))
inks = np.dstack([rgb, alpha])
add("cmyk_black.jpg", jpeg(Image.fromarray(inks, "CMYK"), quality=95))
ycck = bytearray(jpeg(Image.fromarray(inks, "CMYK"), quality=90))
place = ycck.find(b"Adobe\0")
ycck[place + 11] = 2  # the transform byte: the same components read as YCCK
add("ycck.jpg", bytes(ycck))
for sampling in (0, 1, 2):
    add("sampling%d.jpg" % sampling, jpeg(base, quality=80, subsampling=sampling))
add("progressive_grey.jpg", jpeg(base.convert("L"), quality=70, progressive=True))

# Conversions and resizing of images with alpha and of 16-bit grey.
rgba = Image.fromarray(np.dstack([rgb, alpha]))
la = Image.fromarray(np.dstack([rgb[..., 0], alpha]), "LA")
expected["input.rgba"], expected["input.la"] = np.asarray(rgba), np.asarray(la)
keep("grey", np.asarray(base.convert("L")))
ground = Image.new("RGB", (W, H), (200, 90, 30))
ground.paste(rgba, (0, 0), rgba)
keep("composited", np.asarray(ground))
for name, kind in [("bilinear", 2), ("bicubic", 3), ("lanczos", 1), ("box", 4)]:
    for w, h in [(7, 8), (20, 17)]:
        keep("rgba.%s.%dx%d" % (name, w, h), np.asarray(rgba.resize((w, h), kind)))
        keep("la.%s.%dx%d" % (name, w, h), np.asarray(la.resize((w, h), kind)))
wide = (rng.randint(0, 65536, (H, W))).astype(np.uint16)
expected["input.grey16"] = wide.astype(np.int32)
for name, kind in [("bicubic", 3), ("lanczos", 1)]:
    keep("grey16.%s.7x8" % name, np.asarray(Image.fromarray(wide).resize((7, 8), kind)).astype(np.int32))


def adm(image, size):
    """The crop of openai/guided-diffusion, image_datasets.py, written from its description."""
    while min(image.size) >= 2 * size:
        image = image.resize((image.size[0] // 2, image.size[1] // 2), Image.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.size[0] * scale), round(image.size[1] * scale)), Image.BICUBIC)
    left, top = (image.size[0] - size) // 2, (image.size[1] - size) // 2
    return image.crop((left, top, left + size, top + size))


large = rng.randint(0, 256, (37, 61, 3)).astype(np.uint8)
expected["input.large"] = large
for size in (8, 9, 16, 30, 37, 50):
    keep("adm.%d" % size, np.asarray(adm(Image.fromarray(large), size)))

header, offset = {"__metadata__": {"source": "python-pillow/Pillow 13.0.0"}}, 0
types = {"uint8": "U8", "int32": "I32"}
for key, array in expected.items():
    header[key] = {"dtype": types[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
    offset += array.nbytes
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open("expected.safetensors", "wb") as target:
    target.write(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in expected.values()))
