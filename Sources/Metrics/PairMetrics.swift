/// Scores of one image against the image it should be.
public enum PairMetric: String, Sendable, CaseIterable {
    case psnr
    case psnrLuma = "psnr-y"
    case ssim
    case ssimLuma = "ssim-y"
    case ssim3D = "ssim3d"
    case multiScaleSSIM = "ms-ssim"
    case lpips

    /// How it is computed, in a line.
    public var method: String {
        switch self {
        case .psnr: "mean of the images' PSNR over RGB, dB, peak 255"
        case .psnrLuma: "PSNR of BT.601 luma (16…235), rounded as KAIR does, dB"
        case .ssim: "Gaussian window of 11, windows inside the image, mean over RGB (MATLAB, KAIR, BasicSR)"
        case .ssimLuma: "SSIM of BT.601 luma, replicated borders (BasicSR)"
        case .ssim3D:
            "11×11×11 window over height, width and channels (NAFNet's default); not comparable to ssim"
        case .multiScaleSSIM: "five scales (pytorch-msssim)"
        case .lpips: "LPIPS 0.1"
        }
    }

    /// - Parameter network: for `lpips`.
    /// - Throws: `MetricError` when the images differ in size or are too small.
    func value(_ a: PixelGrid, _ b: PixelGrid, _ network: PerceptualDistance?) throws -> Double {
        switch self {
        case .psnr: return try ImageFidelity.psnr(a, b)
        case .psnrLuma:
            return try ImageFidelity.psnr(a.studioLuma(isRounded: true), b.studioLuma(isRounded: true))
        case .ssim: return try ImageFidelity.ssim(a, b)
        case .ssimLuma: return try ImageFidelity.ssimReplicated(a.studioLuma(), b.studioLuma())
        case .ssim3D: return try ImageFidelity.ssim3D(a, b)
        case .multiScaleSSIM: return try ImageFidelity.multiScaleSSIM(a, b)
        case .lpips:
            guard let network else { throw MetricError("lpips needs the weights of a network.") }
            return try network(a, b)
        }
    }
}

/// Gathers scores of pairs.
public struct PairScorer: Sendable {
    public let metrics: [PairMetric]
    private let network: PerceptualDistance?
    private var values: [[Double]]

    public init(_ metrics: [PairMetric], network: PerceptualDistance? = nil) {
        (self.metrics, self.network) = (metrics, network)
        values = metrics.map { _ in [] }
    }

    /// The scores of one pair in the order of `metrics`; can run beside others.
    public func scores(_ a: PixelGrid, _ b: PixelGrid) throws -> [Double] {
        try metrics.map { try $0.value(a, b, network) }
    }

    public mutating func add(_ scores: [Double]) {
        for (index, value) in scores.enumerated() { values[index].append(value) }
    }

    /// Mean and deviation over the pairs. Equal images, whose PSNR is infinite, make the mean infinite.
    public var rows: [EvaluationReport.Row] {
        zip(metrics, values).map { metric, values in
            let (mean, deviation) = meanAndDeviation(values)
            let backbone = metric == .lpips ? network.map { ", \($0.backbone.rawValue)" } ?? "" : ""
            return EvaluationReport.Row(
                metric: metric.rawValue, value: mean, deviation: deviation.isFinite ? deviation : nil,
                method: metric.method + backbone)
        }
    }
}
