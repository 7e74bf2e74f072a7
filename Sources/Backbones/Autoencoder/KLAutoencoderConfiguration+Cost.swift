extension KLAutoencoderConfiguration {
    /// Parameters, and multiply–accumulates of convolutions and linear layers, by part: for one image of the given size
    /// that is encoded and decoded.
    public func stageCosts(height: Int, width: Int) -> [(
        stage: String, parameters: Int, multiplyAccumulates: Int
    )] {
        var parameters: [String: Int] = [:]
        for (name, shape) in parameterShapes {
            parameters[String(name.prefix { $0 != "." }), default: 0] += shape.elementCount
        }
        let latentArea = height * width / (stride * stride)
        let operations = [
            ("encoder", encoderOperations(height * width)), ("decoder", decoderOperations(height * width)),
            ("quant_conv", latentArea * 4 * latentChannels * latentChannels),
            ("post_quant_conv", latentArea * latentChannels * latentChannels),
        ]
        return operations.map { ($0, parameters[$0] ?? 0, $1) }
    }

    private func block(_ inputs: Int, _ outputs: Int) -> Int {
        9 * inputs * outputs + 9 * outputs * outputs + (inputs == outputs ? 0 : inputs * outputs)
    }

    /// Of one pixel, where there are `area`: four projections, and two products with every other pixel.
    private func attention(_ channels: Int, _ area: Int) -> Int {
        4 * channels * channels + 2 * area * channels
    }

    private func encoderOperations(_ area: Int) -> Int {
        var (total, area, before) = (9 * imageChannels * channels[0] * area, area, channels[0])
        for (level, width) in channels.enumerated() {
            let isLast = level == channels.count - 1
            for index in 0..<blocksPerLevel {
                total += block(index == 0 ? before : width, width) * area
                if isLast, attendsInEncoder { total += attention(width, area) * area }
            }
            before = width
            guard !isLast else { continue }
            area /= 4
            total += 9 * width * width * area
        }
        return total + middle(before, area) + 9 * before * 2 * latentChannels * area
    }

    private func decoderOperations(_ imageArea: Int) -> Int {
        let widths = Array(channels.reversed())
        var (area, before) = (imageArea / (stride * stride), widths[0])
        var total = 9 * latentChannels * before * area + middle(before, area)
        for (level, width) in widths.enumerated() {
            total += (block(before, width) + blocksPerLevel * block(width, width)) * area
            before = width
            guard level < widths.count - 1 else { continue }
            area *= 4
            total += 9 * width * width * area
        }
        return total + 9 * before * imageChannels * area
    }

    private func middle(_ width: Int, _ area: Int) -> Int {
        (2 * block(width, width) + attention(width, area)) * area
    }
}
