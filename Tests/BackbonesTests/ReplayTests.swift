import Backbones
import Layers
import Tensors
import Testing

/// Whole networks, recorded and replayed, against themselves.
@Suite struct ReplayTests {
    /// A network whose parameters are all at work: fresh ones have layers of zeros.
    private func build<Network>(_ precision: ProductPrecision, _ make: (Scope) -> Network) -> Network {
        let shapes = ParameterStore(.shapesOnly, isTracked: false)
        _ = make(shapes.scope)
        let parameters = shapes.shapes.enumerated().map { index, parameter in
            (
                parameter.name,
                RandomStream(seed: UInt64(index)).normals(parameter.shape).affine(scale: 0.05, shift: 0.02)
            )
        }
        let loaded = Dictionary(uniqueKeysWithValues: parameters)
        return make(ParameterStore(.loaded(loaded), isTracked: false, precision: precision).scope)
    }

    private static func dico(_ mixer: DiCoMixer, classCount: Int = 10) -> DiCoConfiguration {
        var result = DiCoConfiguration(
            inputChannels: 3, hiddenSize: 32, depth: [1, 1, 1, 1, 1], classCount: classCount)
        (result.mixer, result.mixerHeadSize, result.mixerGateSize) = (mixer, 16, 4)
        return result
    }

    @Test(
        arguments: [DiCoMixer.convolution, .linearAttention, .softmaxAttention],
        [ProductPrecision.float32, .bfloat16])
    func `a denoiser's replayed rows have the bits of the network`(
        mixer: DiCoMixer, precision: ProductPrecision
    ) {
        let network = build(precision) { DiCo($0, Self.dico(mixer)) }
        let rows = RowwiseDenoiser(network)
        for step in 0..<5 {
            let noisy = RandomStream(seed: UInt64(step)).normals([4, 16, 16, 3])
            let (time, labels) = (Float(900 - 100 * step), [0, nil, 3, nil])
            let found = rows.predict(noisy, time: [time, time, time, time], labels: labels)
            for row in 0..<4 {
                let expected = ComputeThreads.concurrentMap(1) { _ in
                    network.predict(
                        noisy.samples(row..<row + 1),
                        conditioning: network.conditioning(time: [time], labels: [labels[row]]))
                }[0]
                #expect(found.samples(row..<row + 1).hasSameBits(as: expected), "step \(step), row \(row)")
            }
        }
        #expect(rows.replayCount > 0)
    }

    private static let restorers: [(name: String, network: RestorationNetwork, isReplayed: Bool)] = [
        ("DnCNN", .dncnn(DnCNNConfiguration(depth: 5)), true),
        ("DnCNN with batch norm", .dncnn(DnCNNConfiguration(depth: 5, hasBatchNorm: true)), true),
        ("FFDNet", .ffdnet(.grey), true),
        ("DRUNet", .drunet(DRUNet.Configuration()), true),
        (
            "NAFNet",
            .nafnet(
                NAFNetConfiguration(
                    width: 16, encoderBlocks: [1, 1], middleBlocks: 1, decoderBlocks: [1, 1])),
            true
        ),
        // Looks at the level it is told.
        ("DiCo", .dico(.denoiser), false),
    ]

    @Test(arguments: 0..<restorers.count, [ProductPrecision.float32, .bfloat16])
    func `a restorer's replay has the bits of the network, at any size and level`(
        index: Int, precision: ProductPrecision
    ) {
        let (name, network, isReplayed) = Self.restorers[index]
        let restorer = build(precision) { network.makeRestorer($0) }
        let replayed = ReplayedRestorer(restorer)
        for call in 0..<6 {
            let (height, width) = call % 2 == 0 ? (24, 32) : (19, 23)
            let noisy = RandomStream(seed: UInt64(call)).uniforms([1, height, width, network.imageChannels])
            let condition =
                network.takesNoiseLevel
                ? RestorationCondition(sigma: Float(10 + call)) : RestorationCondition()
            #expect(
                replayed.restore(noisy, condition).hasSameBits(as: restorer.restore(noisy, condition)),
                "\(name), call \(call)")
        }
        #expect(replayed.replayCount == (isReplayed ? 2 : 0), "\(name)")
    }

    @Test func `a token head's replay has the bits of the head, for any number of tokens`() {
        let flow = build(.float32) {
            FlowHead($0, channels: 3, patchSize: 2, conditionWidth: 24, width: 32, depth: 2)
        }
        let mar = build(.float32) {
            MARHead($0, channels: 12, outputs: 24, conditionWidth: 24, width: 32, depth: 2)
        }
        expectSameBits(ReplayedTokenHead(flow)) { flow($0, time: $1, condition: $2) }
        expectSameBits(ReplayedTokenHead(mar)) { mar($0, time: $1, condition: $2) }
    }

    private func expectSameBits(
        _ replayed: ReplayedTokenHead, _ head: (Tensor, [Float], Tensor) -> Tensor
    ) {
        for call in 0..<12 {
            let rows = call % 2 == 0 ? 6 : 1
            let random = RandomStream(seed: UInt64(call))
            let noisy = random.stream(1).normals([rows, 12])
            let condition = replayed.condition(random.stream(2).normals([rows, 24]))
            // One time for all tokens, or one for each.
            let times = (0..<rows).map { call < 6 ? 500 : Float(100 * $0) }
            let found = replayed(noisy, time: times, condition: condition)
            #expect(found.hasSameBits(as: head(noisy, times, condition)), "call \(call)")
        }
        #expect(replayed.replayCount > 2)
    }
}
