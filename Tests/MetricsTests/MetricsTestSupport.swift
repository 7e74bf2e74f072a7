import Images
import TestSupport
import Tensors

@testable import Metrics

/// Normal features, a row each.
func normalFeatures(_ rows: Int, _ columns: Int, seed: UInt64 = 1, shift: Double = 0, scale: Double = 1)
    -> Matrix
{
    let normals = RandomStream(seed: seed).normals([rows * columns]).scalars
    return Matrix(rows: rows, columns: columns, values: normals.map { Double($0) * scale + shift })
}

/// Smooth random pictures with noise on them, all different.
func randomImages(_ count: Int, width: Int = 32, height: Int = 32, channels: Int = 3, seed: UInt64 = 1)
    -> [Image]
{
    let random = RandomStream(seed: seed)
    return (0..<count).map { index in
        let stream = random.stream(UInt64(index))
        let noise = stream.normals([height * width * channels], from: 100).scalars
        let (fx, fy) = (stream.uniform(at: 0) * 0.4, stream.uniform(at: 1) * 0.4)
        let samples = (0..<height * width * channels).map { i -> UInt8 in
            let (pixel, channel) = (i / channels, Float(i % channels))
            let phase = Float(pixel % width) * fx + Float(pixel / width) * fy + channel
            let wave = abs(phase.truncatingRemainder(dividingBy: 4) - 2) * 60 + 40
            return UInt8(min(255, max(0, wave + 6 * noise[i])))
        }
        return Image(width: width, height: height, channels: channels, samples: samples)
    }
}

/// FeatNet with the weights that come with the project.
func shippedNetwork() throws -> FeatNet {
    try FeatNet(path: TestData.root + "/samplers/weights/featnet-cifar10.safetensors")
}
