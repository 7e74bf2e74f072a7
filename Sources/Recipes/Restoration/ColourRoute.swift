import Images
import Layers
import Tensors

/// How an image's colours go through a network of another number of channels.
enum ColourRoute: Sendable {
    /// As they are.
    case direct
    /// Each channel as a grey image of its own.
    case perChannel
    /// Grey as three equal channels; the mean of the three results is kept.
    case spread

    init(imageColours: Int, networkChannels: Int) {
        self = imageColours == networkChannels ? .direct : networkChannels == 1 ? .perChannel : .spread
    }

    /// What the user should know; nil when there is nothing.
    var note: String? {
        switch self {
        case .direct: nil
        case .perChannel: "the model is for grey images, so red, green and blue go through it one by one"
        case .spread:
            "the model is for colour images, so grey goes through it as three equal channels: noise that they share looks like structure to it"
        }
    }

    /// `[1, H, W, colours]` as the network takes it.
    func enter(_ x: Tensor) -> Tensor {
        switch self {
        case .direct: x
        case .perChannel: Self.transposed(x, samples: x.shape[3])
        case .spread: .concatenateChannels([x, x, x])
        }
    }

    /// The network's answer as `[1, H, W, colours]`.
    func leave(_ y: Tensor) -> Tensor {
        switch self {
        case .direct: return y
        case .perChannel: return Self.transposed(y, samples: 1)
        case .spread: return y.linear(Tensor(repeating: 1 / Float(y.shape[3]), shape: [1, y.shape[3]]))
        }
    }

    /// `[1, H, W, C]` → `[C, H, W, 1]`, or back.
    private static func transposed(_ x: Tensor, samples: Int) -> Tensor {
        let (n, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
        let y = Tensor.uninitialized([samples, h, w, n * c / samples])
        x.withScalars { source in
            y.withMutableScalars { target in
                for pixel in 0..<h * w {
                    for plane in 0..<n * c {
                        let (outer, inner) = (plane * h * w + pixel, pixel * n * c + plane)
                        if samples > 1 {
                            target[outer] = source[inner]
                        } else {
                            target[inner] = source[outer]
                        }
                    }
                }
            }
        }
        return y
    }
}
