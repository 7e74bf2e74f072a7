import Testing

@testable import Images

@Suite struct BitmapFontTests {
    @Test func `the sign of multiplication is drawn, what is unknown is a question mark`() {
        let question = BitmapFont.render("?", scale: 1).samples
        #expect(BitmapFont.render("×", scale: 1).samples != question)
        #expect(BitmapFont.render("√", scale: 1).samples == question)
    }
}
