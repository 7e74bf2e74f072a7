import Backbones
import Checkpoints
import Layers
import Tensors

/// Parts of the VAE, its encoder and its decoder.
extension NFIGVerification {
    @Sendable static func verifyCodec(_ check: inout NFIGCheck) throws {
        let fixture = check.fixture
        let isDecoder = fixture.file.tensors(withPrefix: "param.up.").isEmpty == false
        let blocks = try fixture.integer("num_res_blocks")
        let configuration = VQVAEConfiguration(
            imageChannels: try check.positive("in_channels"), width: try check.positive("ch"),
            multipliers: try fixture.integers("ch_mult"), residualBlocks: blocks,
            latentChannels: try check.positive("z_channels"), usesAttention: try fixture.bool("using_sa"),
            usesMiddleAttention: try fixture.bool("using_mid_sa"))
        try configuration.validate()
        let channels = isDecoder ? configuration.latentChannels : configuration.imageChannels
        try verifyModule(&check, channels: channels) { scope in
            if isDecoder {
                let decoder = VQVAEDecoder(scope, configuration)
                return { decoder($0) }
            }
            let encoder = VQVAEEncoder(scope, configuration)
            return { encoder($0) }
        }
    }

    @Sendable static func verifyResidualBlock(_ check: inout NFIGCheck) throws {
        let inputs = try check.positive("in_channels")
        let outputs = try check.positive("out_channels")
        try requireGroups(check, inputs, outputs)
        try verifyModule(&check, channels: inputs) { scope in
            let block = VQVAEResidualBlock(scope, inputs, outputs)
            return { block($0) }
        }
    }

    @Sendable static func verifyAttentionBlock(_ check: inout NFIGCheck) throws {
        let channels = try check.positive("in_channels")
        try requireGroups(check, channels)
        try verifyModule(&check, channels: channels) { scope in
            let block = VQVAEAttentionBlock(scope, channels: channels)
            return { block($0) }
        }
    }

    /// Down or up: the sizes tell.
    @Sendable static func verifySizeChange(_ check: inout NFIGCheck) throws {
        let channels = try check.positive("in_channels")
        let (x, y) = (try check.fixture.input("x"), try check.fixture.output("y"))
        try check.requireRank(x, 4)
        try check.requireRank(y, 4)
        let grows = y.shape[2] > x.shape[2] || y.shape[3] > x.shape[3]
        try verifyModule(&check, channels: channels) { scope in
            if grows {
                let up = VQVAEUpsample(scope, channels: channels)
                return { up($0) }
            }
            let down = VQVAEDownsample(scope, channels: channels)
            return { down($0) }
        }
    }

    private static func requireGroups(_ check: NFIGCheck, _ widths: Int...) throws {
        try check.require(
            widths.allSatisfy { $0 > 0 && $0 % 32 == 0 }, "widths \(widths) do not divide into 32 groups")
    }

    /// A module from images x to images y, with the gradients of both.
    private static func verifyModule(
        _ check: inout NFIGCheck, channels: Int, _ make: (Scope) throws -> (Tensor) -> Tensor
    ) throws {
        let store = ParameterStore(.loaded(check.fixture.parameterTensors), isTracked: true)
        let module = try make(store.scope)
        try store.validate()
        let x = try check.images(input: "x").variable
        try check.require(
            x.shape[3] == channels && x.shape[1] > 0 && x.shape[2] > 0,
            "input.x \(x.shape) has not \(channels) channels")
        let y = module(x)
        try check.output("y", images: y)
        guard let cotangent = check.fixture.file["cotangent.y"] else { return }
        let gradients = y.gradients(cotangent: try like(y, cotangent, check))
        check.inputGradient("x", gradients, x, channelsLast: true)
        check.parameterGradients(store, gradients)
    }
}
