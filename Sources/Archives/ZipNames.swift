/// A zip name as text: UTF-8 where the bytes are valid UTF-8, else the old DOS code page 437.
func decodeZipName(_ bytes: UnsafeRawBufferPointer) -> String {
    if let name = String(validating: bytes, as: UTF8.self) { return name }
    return String(bytes.map { $0 < 128 ? Character(Unicode.Scalar($0)) : codePage437[Int($0) - 128] })
}

private let codePage437 = Array(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}"
)
