import Backbones
import Checkpoints
import Layers
import Metrics
import Synchronization
import Tensors

extension PeerNetwork {
    static func dico(
        _ name: String, _ configuration: DiCoConfiguration,
        parameters: (@Sendable () throws -> [String: Tensor])? = nil
    ) -> PeerNetwork {
        @Sendable func predict(_ network: any Denoiser, _ input: Input) -> Tensor {
            let labels = input.labels.map { $0 < configuration.classCount ? $0 : nil }
            return network.predict(input.x, time: input.time, labels: labels)
        }
        return PeerNetwork(
            name: name,
            configuration: [
                "kind": "dico", "inputChannels": .integer(configuration.inputChannels),
                "outputChannels": .integer(configuration.outputChannels),
                "hiddenSize": .integer(configuration.hiddenSize),
                "depth": .array(configuration.depth.map(JSONValue.integer)),
                "mlpRatio": .number(configuration.mlpRatio),
                "classCount": .integer(configuration.classCount),
                "patchSize": .integer(configuration.patchSize),
            ],
            classCount: configuration.classCount, outputChannels: configuration.outputChannels,
            parameters: parameters ?? { generatedParameters { _ = DiCo($0, configuration) } },
            inference: { parameters, rowwise in
                let store = ParameterStore(.loaded(parameters), isTracked: false)
                let network = DiCo(store.scope, configuration)
                try store.validate()
                let rows = RowwiseDenoiser(network)
                return {
                    // A sampler's next call is for another time.
                    rows.forgetConditions()
                    return predict(rowwise ? rows : network, $0)
                }
            },
            training: { scope in
                let network = DiCo(scope, configuration)
                return { predict(network, $0) }
            })
    }

    /// The model that ships with the project.
    /// - Throws: errors of finding and reading it.
    static func shippedModel() throws -> PeerNetwork {
        let recipe = try SamplingRecipe(recipeFile: ProjectFiles.recipe("cifar10-dico"), overrides: [])
        guard let path = recipe.checkpoint else { throw BenchmarkError("cifar10-dico: names no checkpoint") }
        let checkpoint = try Checkpoint(path: path)
        guard case .dico(let configuration) = try checkpoint.modelConfiguration().model else {
            throw BenchmarkError("\(path): is no DiCo, which the other side builds")
        }
        return dico("cifar10-dico", configuration) {
            Dictionary(checkpoint.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
        }
    }

    static func restoration(
        _ name: String, _ network: RestorationNetwork, configuration: JSONValue
    ) -> PeerNetwork {
        PeerNetwork(
            name: name, configuration: configuration,
            parameters: { generatedParameters { _ = network.makeRestorer($0) } },
            inference: { parameters, _ in
                let restorer = try network.makeInferenceRestorer(parameters)
                return { restorer.restore($0.x) }
            },
            training: { scope in
                let restorer = network.makeRestorer(scope)
                return { restorer.restore($0.x, .init(), isTraining: true) }
            })
    }

    static var dncnn: PeerNetwork {
        let dncnn = DnCNNConfiguration(dialect: .dncnnPyTorch)
        return restoration(
            "dncnn", .dncnn(dncnn),
            configuration: [
                "kind": "dncnn", "depth": .integer(dncnn.depth), "width": .integer(dncnn.width),
                "epsilon": .number(Double(dncnn.batchNormEpsilon)), "momentum": 0.95,
            ])
    }

    static func nafnet(_ configuration: NAFNetConfiguration) -> PeerNetwork {
        restoration(
            "nafnet-\(configuration.width)", .nafnet(configuration),
            configuration: [
                "kind": "nafnet", "width": .integer(configuration.width),
                "encoderBlocks": .array(configuration.encoderBlocks.map(JSONValue.integer)),
                "middleBlocks": .integer(configuration.middleBlocks),
                "decoderBlocks": .array(configuration.decoderBlocks.map(JSONValue.integer)),
            ])
    }

    /// LINA's mixer on a square map of tokens: division form, depthwise convolution, gates on keys and values.
    static func linearAttention(side: Int, width: Int = 768, heads: Int = 12) -> PeerNetwork {
        let layout = TokenLayout(grid: TokenGrid(side, side))
        @Sendable func mixer(_ scope: Scope) -> LinearAttention {
            var linear = LinearAttentionConfiguration(heads: heads)
            (linear.locality, linear.gate) = (.depthwise, .keysAndValues)
            linear.gateTable = GateTable(height: side, width: side)
            return LinearAttention(scope, width: width, linear)
        }
        @Sendable func function(_ scope: Scope) -> @Sendable (Tensor) -> Tensor {
            let mixer = mixer(scope)
            return { mixer($0, layout: layout, rotation: nil) }
        }
        return PeerNetwork(
            name: "linear-attention-\(side * side)",
            configuration: [
                "kind": "linear-attention", "width": .integer(width), "heads": .integer(heads),
                "side": .integer(side),
            ],
            parameters: { generatedParameters { _ = mixer($0) } },
            inference: { parameters, _ in
                let mix = function(ParameterStore(.loaded(parameters), isTracked: false).scope)
                let replayed = ReplayedFunction { [mix($0[0])] }
                return { replayed([$0.x])[0] }
            },
            training: { scope in
                let mix = function(scope)
                return { mix($0.x) }
            })
    }

    /// The FID network, which gives each image a thread of its own.
    static var inception: PeerNetwork {
        PeerNetwork(
            name: "inception", configuration: ["kind": "inception"],
            parameters: {
                let wanted = WantedParameters()
                _ = try InceptionNetwork(
                    WeightSource { name, shape in
                        let values = GeneratedWeights.inception(name, shape)
                        wanted.add(name, Tensor(shape: Shape(shape), scalars: values))
                        return values
                    })
                return wanted.all
            },
            inference: { parameters, _ in
                let network = try InceptionNetwork(
                    WeightSource { name, _ in
                        guard let tensor = parameters[name] else {
                            throw BenchmarkError("inception: has no parameter \(name)")
                        }
                        return tensor.scalars
                    })
                let replayed = ReplayedFunction { [network.features($0[0]).pooled].compactMap { $0 } }
                return { input in
                    .concatenateSamples(
                        ComputeThreads.concurrentMap(input.x.shape[0]) {
                            replayed([input.x.samples($0..<$0 + 1)])[0]
                        })
                }
            })
    }
}

/// What a network asked for while it was built.
private final class WantedParameters: Sendable {
    private let tensors = Mutex<[String: Tensor]>([:])

    var all: [String: Tensor] { tensors.withLock { $0 } }

    func add(_ name: String, _ tensor: Tensor) { tensors.withLock { $0[name] = tensor } }
}
