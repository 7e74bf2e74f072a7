extension Image {
    /// Images side by side, row after row, with `padding` pixels of `background` around each.
    ///
    /// Images may differ in size: every cell takes the largest width and height. Grey ones become RGB next to colours.
    /// - Parameter columns: images per row; by default the smallest square that holds them.
    public static func grid(
        _ images: [Image], columns: Int? = nil, padding: Int = 2, background: UInt8 = 0
    ) -> Image {
        precondition(!images.isEmpty, "a grid needs at least one image")
        let columns = min(columns ?? Int(Double(images.count).squareRoot().rounded(.up)), images.count)
        precondition(
            columns > 0 && padding >= 0, "a grid has columns: \(columns), and no negative padding: \(padding)"
        )
        let rows = (images.count + columns - 1) / columns
        let channels = images.map(\.channels).max() ?? 1
        let layout = ChannelLayout(rawValue: channels) ?? .rgb
        let cell = (
            width: images.map(\.width).max() ?? 1,
            height: images.map(\.height).max() ?? 1
        )
        var canvas = Image(
            width: columns * (cell.width + padding) + padding,
            height: rows * (cell.height + padding) + padding,
            color: [UInt8](repeating: background, count: channels))
        for (n, image) in images.enumerated() {
            canvas.draw(
                image.converted(to: layout), x: padding + n % columns * (cell.width + padding),
                y: padding + n / columns * (cell.height + padding))
        }
        return canvas
    }
}
