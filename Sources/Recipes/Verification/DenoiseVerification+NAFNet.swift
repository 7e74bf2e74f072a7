import Backbones
import Checkpoints
import Denoising
import Layers
import Tensors

// NAFNet, its parts, and ways to run a network on other sizes than it was trained on.
extension DenoiseVerification {
    static func channelNorm(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let channels = try fixture.count("channels")
        let norm = ChannelNorm(store.scope, channels: channels, epsilon: Float(try fixture.number("eps")))
        return try compare(fixture, store, channels: channels) { x in norm(x) }
    }

    static func nafBlock(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let channels = try fixture.count("c")
        let expansion = (
            try fixture.count("DW_Expand", in: 1...64), try fixture.count("FFN_Expand", in: 1...64)
        )
        guard channels * expansion.0 % 2 == 0, channels * expansion.1 % 2 == 0 else {
            throw fixture.problem("\(channels) channels do not divide into two halves")
        }
        let block = NAFBlock(
            store.scope, channels: channels, mixerExpansion: expansion.0, feedForwardExpansion: expansion.1)
        return try compare(fixture, store, channels: channels) { x in block(x) }
    }

    static func nafnet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = NAFNet(store.scope, try nafnetConfiguration(fixture))
        return try compare(fixture, store, channels: model.imageChannels) { x in model(x) }
    }

    static func tunableNAFNet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        var configuration = try nafnetConfiguration(fixture, channels: "img_channels")
        let mixing = try mixing(fixture)
        configuration.kernel = .tunable(mixing)
        let model = NAFNet(store.scope, configuration)
        try store.validate()
        let x = try fixture.imageTensor("x", channels: model.imageChannels).variable
        let tuning = try fixture.tuning("params", samples: x.shape[0], count: mixing.parameterCount).variable
        let y = model(x, tuning: tuning)
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("x", x), ("params", tuning)])
        try check.parameters(store)
        // At a fixed setting the plain network with mixed weights gives the same.
        for row in 0..<tuning.shape[0] {
            let (plain, parameters) = configuration.fixed(
                fixture.parameterTensors, at: tuning.detached.samples(row..<row + 1).scalars)
            let fixed = ParameterStore(.loaded(parameters), isTracked: false)
            let network = NAFNet(fixed.scope, plain)
            try fixed.validate()
            let all = try fixture.output("y")
            guard all.shape.count == 4, row < all.shape[0] else { break }
            let expected = try all.row(row)
            check.result.addOutput(
                Comparison(
                    name: "y[\(row)], mixed beforehand",
                    channelsLast: network(x.detached.samples(row..<row + 1)),
                    expected: StoredTensor(name: "y", shape: [1] + expected.shape, floats: expected.floats)),
                within: check.outputTolerance)
        }
        return check.result
    }

    static func nafnetConfiguration(_ fixture: Fixture, channels: String = "img_channel") throws
        -> NAFNetConfiguration
    {
        let result = NAFNetConfiguration(
            imageChannels: try fixture.count(channels), width: try fixture.count("width"),
            encoderBlocks: try fixture.integers("enc_blk_nums"),
            middleBlocks: try fixture.count("middle_blk_num", in: 0...1000),
            decoderBlocks: try fixture.integers("dec_blk_nums"))
        try result.validate()
        guard (1...8).contains(result.encoderBlocks.count),
            (result.encoderBlocks + result.decoderBlocks).allSatisfy((0...1000).contains)
        else { throw fixture.problem("it needs 1 to 8 levels of up to 1000 blocks") }
        return result
    }

    /// A layer or network of one input and one output.
    static func compare(
        _ fixture: Fixture, _ store: ParameterStore, channels: Int? = nil,
        check checkInput: (Fixture, Tensor) throws -> Void = { _, _ in },
        _ function: (Tensor) throws -> Tensor
    ) throws -> VerificationResult {
        try store.validate()
        let input =
            try channels.map { try fixture.imageTensor("x", channels: $0) }
            ?? fixture.input("x").channelsLastTensor
        try checkInput(fixture, input)
        let x = input.variable
        let y = try function(x)
        var check = check(fixture)
        try check.compare(y, "y", inputs: [("x", x)])
        try check.parameters(store)
        return check.result
    }

    /// TLC: global means become local ones of the size the network was trained on.
    static func localNAFNet(_ fixture: Fixture) throws -> VerificationResult {
        var configuration = try nafnetConfiguration(fixture)
        configuration.localTrainingSize = Array(try fixture.integers("train_size").suffix(2))
        try configuration.validate()
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        let model = NAFNet(store.scope, configuration)
        try store.validate()
        var result = VerificationResult()
        for input in fixture.inputs where input.name.hasPrefix("x_") {
            let size = String(input.name.dropFirst(2))
            let expected = try fixture.output("y_" + size)
            let noise = fixture.config["fp32_noise_abs"]?[size]?.number ?? 3e-7
            // An absolute deviation, stated relative to the RMS.
            let rms = (expected.doubles.reduce(0) { $0 + $1 * $1 } / Double(max(1, expected.elementCount)))
                .squareRoot()
            result.addOutput(
                Comparison(
                    name: "y_" + size,
                    channelsLast: model(try fixture.imageTensor(input.name, channels: model.imageChannels)),
                    expected: expected),
                within: 10 * noise / max(rms, 1e-30))
        }
        return result
    }

    static func localMeans(_ fixture: Fixture) throws -> VerificationResult {
        var check = check(fixture)
        for (index, size) in (fixture.config["kernel_sizes"]?.array ?? []).enumerated() {
            guard let extents = size.integers, extents.count == 2, extents.allSatisfy({ $0 > 0 }) else {
                throw fixture.problem("its kernel size \(size.text) is no height and width")
            }
            let x = try fixture.imageTensor("x\(index)")
            try check.output("y\(index)", x.localMean(kernelHeight: extents[0], kernelWidth: extents[1]))
        }
        return check.result
    }

    static func tiles(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        let model = NAFNet(store.scope, try nafnetConfiguration(fixture))
        try store.validate()
        let x = try fixture.imageTensor("x", channels: model.imageChannels)
        let grid = TileGrid(
            height: x.shape[1], width: x.shape[2],
            tileHeight: try fixture.count("crop_size_h", in: 1...(1 << 20)),
            tileWidth: try fixture.count("crop_size_w", in: 1...(1 << 20)))
        var check = check(fixture)
        let origins = try fixture.output("tile_origins")
        let found = grid.origins.flatMap { [Double($0.y), Double($0.x)] }
        check.result.addOutput(
            Comparison(
                name: "tile_origins", found, shape: [grid.origins.count, 2], expected: origins.doubles,
                shape: origins.shape), within: 0)
        try check.output("y", grid.apply(x) { model($0) })
        return check.result
    }

    /// KAIR's test modes on a small DnCNN.
    static func testModes(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        let model = DnCNN(store.scope, try kairConfiguration(fixture))
        try store.validate()
        let x = try fixture.imageTensor("x", channels: model.configuration.inputChannels)
        var check = check(fixture)
        try check.output("plain", model(x))
        try check.output("pad16", TestModes.padded(x, toMultiplesOf: 16) { model($0) })
        try check.output(
            "split",
            TestModes.quartered(
                x, receptiveField: try fixture.count("refield"), smallest: try fixture.count("min_size")
            ) { model($0) })
        try check.output("x8", Dihedral.ensemble(x) { model($0) })
        return check.result
    }
}
