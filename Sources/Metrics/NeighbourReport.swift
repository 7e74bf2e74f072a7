import Checkpoints
import Tensors

/// How near samples lie to training images, beside real images that were held out.
public struct NeighbourReport: Sendable {
    /// A sample and its nearest reference image.
    public struct Pair: Sendable, Hashable {
        public let sample: Int
        public let reference: Int
        public let distance: Double
    }

    private static let levels = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95]

    /// The closest pairs, closest first.
    public let closest: [Pair]
    /// Distances at the quantiles 0, 5, 25, 50, 75 and 95 %.
    public let samples: [Double]
    public let heldOut: [Double]?

    init(samples: Matrix, reference: Matrix, heldOut: Matrix?, pairs: Int = 16) throws {
        let nearest = try Neighbours.nearest(of: samples, in: reference).enumerated().compactMap {
            index, row in
            row.first.map { Pair(sample: index, reference: $0.index, distance: $0.distance) }
        }
        closest = Array(
            nearest.sorted { ($0.distance, $0.sample) < ($1.distance, $1.sample) }.prefix(pairs))
        self.samples = Self.quantiles(nearest.map(\.distance))
        self.heldOut = try heldOut.map {
            Self.quantiles(try Neighbours.nearest(of: $0, in: reference).compactMap { $0.first?.distance })
        }
    }

    private static func quantiles(_ values: [Double]) -> [Double] {
        let sorted = values.sorted()
        return levels.map { sorted[Int(($0 * Double(sorted.count - 1)).rounded())] }
    }

    /// For people.
    var lines: [String] {
        func row(_ name: String, _ values: [Double]) -> String {
            "\(name) " + values.map(EvaluationReport.number).joined(separator: "  ")
        }
        var lines = ["distance to the nearest reference image at 0, 5, 25, 50, 75, 95 %"]
        lines.append(row("samples      ", samples))
        if let heldOut { lines.append(row("held-out real", heldOut)) }
        return lines
    }

    var json: JSONValue {
        [
            "quantiles": .array(Self.levels.map { .number($0) }),
            "samples": .array(samples.map { .number($0) }),
            "heldOut": heldOut.map { .array($0.map { .number($0) }) } ?? .null,
            "closest": .array(
                closest.map {
                    [
                        "sample": .integer($0.sample), "reference": .integer($0.reference),
                        "distance": .number($0.distance),
                    ]
                }),
        ]
    }
}
