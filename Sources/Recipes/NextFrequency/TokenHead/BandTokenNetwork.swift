import Autoregression
import Backbones
import Layers
import Tensors

/// A backbone that makes features of a band's tokens, from the image below and the tokens known so far, and a small
/// network that draws each token from its own (`specs/nfig.md`, section 12, token head).
///
/// The backbone takes the joint head's seat, with known tokens where the noisy band was, and a channel that tells which
/// they are. Parameters its own, and MAR's under `token_head`.
public struct BandTokenNetwork: Sendable {
    static let headName = "token_head"

    let backbone: any Denoiser
    let head: ReplayedTokenHead
    let seat: BandSeat
    /// Side of a token.
    let cell: Int
    /// Scalars of a token at all levels but the first.
    let tokenWidth: Int

    /// - Parameter settings: of `configuration`.
    init(
        _ scope: Scope, backbone: any Denoiser, _ configuration: NextFrequencyConfiguration,
        _ settings: TokenHeadSettings
    ) {
        self.backbone = backbone
        (seat, cell) = (configuration.seat, settings.cell)
        tokenWidth = seat.outputChannels * cell * cell
        head = ReplayedTokenHead(Self.head(scope, configuration, settings))
    }

    /// The small network alone.
    static func head(
        _ scope: Scope, _ configuration: NextFrequencyConfiguration, _ settings: TokenHeadSettings
    ) -> MARHead {
        let places = settings.cell * settings.cell
        let width = configuration.seat.outputChannels * places
        return MARHead(
            scope / headName, channels: width, outputs: (configuration.learnSigma ? 2 : 1) * width,
            conditionWidth: settings.features * places, width: settings.width, depth: settings.depth)
    }
}

/// That network at one level of one batch, as masked autoregression sees it.
///
/// A condition is the backbone's label of each sample, `[N, 1]`: class and level in one number.
struct BandTokenPredictor: MaskedTokenPredictor {
    private let network: BandTokenNetwork
    private let level: Int
    private let grid: Grid
    /// `[N, h, w, C + 1]`: the map below and its noise; nil at the first level.
    private let context: Tensor?

    /// - Parameters:
    ///   - grid: of the band's map.
    ///   - context: the map below, divided by its size; nil at the first level.
    ///   - shares: of noise on it, one per image.
    init(_ network: BandTokenNetwork, level: Int, grid: Grid, context: Tensor?, shares: [Float]) {
        (self.network, self.level, self.grid) = (network, level, grid)
        self.context = context.map { ContextNoise.joined($0, shares: shares) }
    }

    private var cell: Int { network.cell }
    /// Channels of the band.
    private var channels: Int { level == 0 ? network.seat.channels : network.seat.outputChannels }

    var tokenGrid: TokenGrid { TokenGrid(grid.height / cell, grid.width / cell) }
    var tokenWidth: Int { channels * cell * cell }

    func condition(labels: [Int?]) -> Tensor {
        Tensor(
            shape: [labels.count, 1],
            scalars: labels.map { Float(network.seat.label($0, level: level)) })
    }

    /// A band `[N, h, w, c]` as tokens `[N, n, c·t²]`.
    func tokens(of map: Tensor) -> Tensor {
        let cells = map.pixelUnshuffled(by: cell)
        return cells.reshaped([map.shape[0], tokenGrid.count, cells.shape.channels])
    }

    /// The inverse of `tokens(of:)`.
    func map(of tokens: Tensor) -> Tensor {
        tokens.reshaped([tokens.shape[0], tokenGrid.height, tokenGrid.width, tokens.shape[2]])
            .pixelShuffled(by: cell)
    }

    /// - Parameter tokens: `[k·N, n, w]` for a context of N images; guidance asks for the batch twice.
    func features(of tokens: Tensor, visible: [[Int]], condition: Tensor) -> Tensor {
        let samples = tokens.shape[0]
        let known = map(of: Self.shown(tokens, visible))
        let absent: Shape = [samples, grid.height, grid.width, network.seat.outputChannels - channels]
        let below =
            context.map { $0.repeatedSamples(samples / max(1, $0.shape[0])) }
            ?? .zeros([samples, grid.height, grid.width, network.seat.channels + 1])
        let share = Float(visible.first?.count ?? 0) / Float(max(1, tokenGrid.count))
        let output = network.backbone.predict(
            .concatenateChannels(
                (absent[3] > 0 ? [known, .zeros(absent)] : [known]) + [below, map(of: marks(visible))]),
            time: Array(repeating: 1000 * share, count: samples),
            labels: condition.scalars.map { Int($0) })
        return self.tokens(of: output)
    }

    func headCondition(_ features: Tensor) -> Tensor { network.head.condition(features) }

    func head(_ noisy: Tensor, time: [Float], condition: Tensor) -> Tensor {
        let (rows, width, whole) = (noisy.shape[0], tokenWidth, network.tokenWidth)
        guard width < whole else { return network.head(noisy, time: time, condition: condition) }
        // The first level has fewer channels: its tokens lie in the first of the seat.
        let filled = Tensor.concatenateChannels([noisy, .zeros([rows, whole - width])])
        let output = network.head(filled, time: time, condition: condition)
        let parts = stride(from: 0, to: output.shape.channels, by: whole).map {
            output.channels($0..<$0 + width)
        }
        return parts.count > 1 ? .concatenateChannels(parts) : parts[0]
    }

    /// Known tokens, zeros elsewhere.
    private static func shown(_ tokens: Tensor, _ visible: [[Int]]) -> Tensor {
        let empty = Tensor.zeros(tokens.shape)
        guard visible.contains(where: { !$0.isEmpty }) else { return empty }
        return empty.replacingTokens(visible, with: tokens.detached.gatheringTokenRows(visible))
    }

    /// Ones where tokens are known, `[N, n, t²]`.
    private func marks(_ visible: [[Int]]) -> Tensor {
        let places = cell * cell
        var marks = [Float](repeating: 0, count: visible.count * tokenGrid.count * places)
        for (sample, list) in visible.enumerated() {
            for token in list {
                let first = (sample * tokenGrid.count + token) * places
                for place in first..<first + places { marks[place] = 1 }
            }
        }
        return Tensor(shape: [visible.count, tokenGrid.count, places], scalars: marks)
    }
}
