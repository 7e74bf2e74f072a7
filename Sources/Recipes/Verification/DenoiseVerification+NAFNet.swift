import Backbones
import Checkpoints
import Denoising
import Layers
import Tensors

// NAFNet, its parts, and ways to run a network on other sizes than it was trained on.
extension DenoiseVerification {
    static func channelNorm(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let norm = ChannelNorm(
            store.scope, channels: try fixture.integer("channels"), epsilon: Float(try fixture.number("eps")))
        return try compare(fixture, store) { x in norm(x) }
    }

    static func nafBlock(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let block = NAFBlock(
            store.scope, channels: try fixture.integer("c"), mixerExpansion: try fixture.integer("DW_Expand"),
            feedForwardExpansion: try fixture.integer("FFN_Expand"))
        return try compare(fixture, store) { x in block(x) }
    }

    static func nafnet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        let model = NAFNet(store.scope, try nafnetConfiguration(fixture))
        return try compare(fixture, store) { x in model(x) }
    }

    static func tunableNAFNet(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: true)
        var configuration = try nafnetConfiguration(fixture, channels: "img_channels")
        configuration.kernel = .tunable(try mixing(fixture))
        let model = NAFNet(store.scope, configuration)
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
        let tuning = try fixture.input("params").tensor.variable
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
            let expected = try fixture.output("y").row(row)
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
            imageChannels: try fixture.integer(channels), width: try fixture.integer("width"),
            encoderBlocks: try fixture.integers("enc_blk_nums"),
            middleBlocks: try fixture.integer("middle_blk_num"),
            decoderBlocks: try fixture.integers("dec_blk_nums"))
        try result.validate()
        return result
    }

    /// A layer or network of one input and one output.
    static func compare(_ fixture: Fixture, _ store: ParameterStore, _ function: (Tensor) throws -> Tensor)
        throws
        -> VerificationResult
    {
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor.variable
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
                    name: "y_" + size, channelsLast: model(input.channelsLastTensor), expected: expected),
                within: 10 * noise / max(rms, 1e-30))
        }
        return result
    }

    static func localMeans(_ fixture: Fixture) throws -> VerificationResult {
        var check = check(fixture)
        for (index, size) in (fixture.config["kernel_sizes"]?.array ?? []).enumerated() {
            guard let extents = size.integers, extents.count == 2 else { continue }
            let x = try fixture.input("x\(index)").channelsLastTensor
            try check.output("y\(index)", x.localMean(kernelHeight: extents[0], kernelWidth: extents[1]))
        }
        return check.result
    }

    static func tiles(_ fixture: Fixture) throws -> VerificationResult {
        let store = ParameterStore(.loaded(fixture.parameterTensors), isTracked: false)
        let model = NAFNet(store.scope, try nafnetConfiguration(fixture))
        try store.validate()
        let x = try fixture.input("x").channelsLastTensor
        let grid = TileGrid(
            height: x.shape[1], width: x.shape[2], tileHeight: try fixture.integer("crop_size_h"),
            tileWidth: try fixture.integer("crop_size_w"))
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
        let x = try fixture.input("x").channelsLastTensor
        var check = check(fixture)
        try check.output("plain", model(x))
        try check.output("pad16", TestModes.padded(x, toMultiplesOf: 16) { model($0) })
        try check.output(
            "split",
            TestModes.quartered(
                x, receptiveField: try fixture.integer("refield"), smallest: try fixture.integer("min_size")
            ) { model($0) })
        try check.output("x8", Dihedral.ensemble(x) { model($0) })
        return check.result
    }
}
