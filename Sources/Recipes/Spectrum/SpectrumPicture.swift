import Autoregression
import Images
import Metrics
import Tensors

extension SpectrumAnalysis {
    /// The pyramid as a picture: above, the image growing band by band; in the middle, each band alone (grey is zero,
    /// contrast stretched); below, the radial power spectrum of the image and of each partial sum.
    public func picture() -> Image {
        let growing = lowpasses.map { shown($0, gain: 1) }
        let single = bands.enumerated().map { level, band in
            shown(band, gain: level == 0 ? 1 : stretch(band))
        }
        let tiles = Image.grid(growing + single, columns: levels.count, padding: 4, background: 255)
        let plot = spectrumPlot(width: max(480, tiles.width)).image()
        return Image.grid([tiles, plot], columns: 1, padding: 0, background: 255)
    }

    /// Radial power of the image, and of the sums of its bands.
    func spectrumPlot(width: Int) -> LinePlot {
        var plot = LinePlot(
            title: "radial power spectrum", xLabel: "cycles per \(max(image.width, image.height)) pixels",
            yLabel: "mean power", width: width, height: 320)
        plot.xScale = .logarithmic
        plot.yScale = .logarithmic
        for (level, sum) in lowpasses.enumerated().reversed() {
            let power = radialPower(sum)
            let name = level == levels.count - 1 ? "image" : "up to \(levels[level].grid)"
            // Below a millionth of an 8-bit step there is only rounding.
            let points = power.enumerated().dropFirst().filter { $0.element > 1e-12 }
            plot.add(name, x: points.map { Double($0.offset) }, y: points.map(\.element))
        }
        return plot
    }

    private func radialPower(_ x: PreciseImages) -> [Double] {
        let spectrum = RadialSpectrum(height: image.height, width: image.width)
        let channels = x.shape.channels
        var sums = [Double](repeating: 0, count: spectrum.binCount)
        for c in 0..<channels {
            let plane = (0..<x.shape.rows).map { 127.5 * (x.values[$0 * channels + c] + 1) }
            for (bin, power) in spectrum.power(of: plane).enumerated() {
                sums[bin] += power / Double(channels)
            }
        }
        return sums
    }

    /// What brings a band's RMS to a third of the range.
    private func stretch(_ band: PreciseImages) -> Double {
        let rms = band.rootMeanSquare
        return rms > 1e-6 ? min(64, 1 / (3 * rms)) : 1
    }

    private func shown(_ x: PreciseImages, gain: Double) -> Image {
        Image(Tensor(shape: x.shape, scalars: x.values.map { Float($0 * gain) }), range: .signed)
            .converted(to: .rgb)
    }
}
