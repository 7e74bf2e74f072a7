/// A small font of five by seven dots, so that a plot needs no font file. It has the printable ASCII characters and
/// the sign of multiplication; any other is drawn as a question mark.
enum BitmapFont {
    static let glyphWidth = 5
    static let glyphHeight = 7
    /// From one glyph to the next.
    static let advance = 6

    /// Dots from one text's left edge to its right one, at a scale of one.
    static func width(of text: String) -> Int { max(text.count * advance - 1, 0) }

    /// A grey image of a text: 255 where there is ink.
    static func render(_ text: String, scale: Int) -> Image {
        let width = max(width(of: text), 1)
        var dots = [UInt8](repeating: 0, count: width * scale * glyphHeight * scale)
        for (n, character) in text.enumerated() {
            for row in 0..<glyphHeight * scale {
                let bits = rows(of: character)[row / scale]
                for column in 0..<glyphWidth * scale where bits >> (4 - column / scale) & 1 == 1 {
                    dots[row * width * scale + n * advance * scale + column] = 255
                }
            }
        }
        return Image(width: width * scale, height: glyphHeight * scale, channels: 1, samples: dots)
    }

    private static func rows(of character: Character) -> [Int] {
        if character == "×" { return [0b00000, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b00000] }
        let code = character.asciiValue.map(Int.init) ?? 63
        return glyphs[(32..<127).contains(code) ? code - 32 : 63 - 32]
    }

    /// Seven rows per glyph, each a base-32 digit whose highest bit is the leftmost dot.
    private static let glyphs: [[Int]] = """
        0000000 4444404 AA00000 AAVAVAA 4FKE5U4 PP248JJ CIK8LID 4400000 2488842 8422248 04LEL40 044V440
        0000648 000V000 00000CC 11248GG EHJLPHE 4C4444E EH1248V V2421HE 26AIV22 VGU11HE 68GUHHE V124888
        EHHEHHE EHHF12C 0CC0CC0 0CC0C48 248G842 00V0V00 8421248 EH12404 EHNLNGE EHHVHHH UHHUHHU EHGGGHE
        SIHHHIS VGGUGGV VGGUGGG EHGNHHF HHHVHHH E44444E 72222IC HIKOKIH GGGGGGV HRLLHHH HPLJHHH EHHHHHE
        UHHUGGG EHHHLID UHHUKIH FGGE11U V444444 HHHHHHE HHHHHA4 HHHLLRH HHA4AHH HHA4444 V1248GV E88888E
        GG84211 E22222E 4AH0000 000000V 8400000 00E1FHF GGUHHHU 00EGGHE 11FHHHF 00EHVGE 698S888 00FHF1E
        GGUHHHH 40C444E 20622IC GGIKOKI C44444E 00QLLLL 00UHHHH 00EHHHE 00UHUGG 00FHF11 00MPGGG 00FGE1U
        88S8896 00HHHJD 00HHHA4 00HHLLA 00HA4AH 00HHF1E 00V248V 2448442 4444444 8442448 008L200
        """.split(whereSeparator: \.isWhitespace).map { $0.compactMap { Int(String($0), radix: 32) } }
}
