import Autoregression
import Images
import Layers
import Metrics
import Tensors

extension SpectrumAnalysis {
    /// The pyramid as a picture: above, the image growing band by band; in the middle, each band alone (grey
    /// is zero, contrast stretched); below, the radial power spectrum of the image and of each partial sum.
    public func picture() -> Image {
        let growing = lowpasses.map { shown($0, gain: 1) }
        let single = bands.enumerated().map { level, band in
            shown(band, gain: level == 0 ? 1 : stretch(band))
        }
        let tiles = Image.grid(growing + single, columns: levels.count, padding: 4, background: 255)
        let plot = spectrumPlot(width: min(1200, max(480, tiles.width))).image()
        var picture = Image(
            width: max(tiles.width, plot.width), height: tiles.height + plot.height, color: [255, 255, 255])
        picture.draw(tiles, x: (picture.width - tiles.width) / 2, y: 0)
        picture.draw(plot.converted(to: .rgb), x: (picture.width - plot.width) / 2, y: tiles.height)
        return picture
    }

    /// Radial power of the image, and of the sums of its bands.
    func spectrumPlot(width: Int) -> LinePlot {
        var plot = LinePlot(
            title: "radial power spectrum", xLabel: "cycles per \(max(image.width, image.height)) pixels",
            yLabel: "mean power", width: width, height: 320)
        plot.xScale = .logarithmic
        plot.yScale = .logarithmic
        // Power falls with frequency.
        plot.legendCorner = .lowerLeft
        for (level, sum) in lowpasses.enumerated().reversed() {
            let power = radialPower(sum)
            let name =
                level == levels.count - 1
                ? "image" : "up to \(levels[level].grid.height)x\(levels[level].grid.width)"
            // Below a millionth of an 8-bit step there is only rounding.
            let points = power.enumerated().dropFirst().filter { $0.element > 1e-12 }
            plot.add(name, x: points.map { Double($0.offset) }, y: points.map(\.element))
        }
        return plot
    }

    /// Mean power by frequency, averaged over directions and channels, in the basis of the pyramid: of an
    /// image that is cut by cosines a Fourier spectrum would mostly show the jump across its borders.
    private func radialPower(_ x: PreciseImages) -> [Double] {
        let channels = x.shape.channels
        let (height, width) = (image.height, image.width)
        if configuration.basis == .cosine {
            let transform = SeparableMap(
                rows: Resampling.cosineTransform(height), columns: Resampling.cosineTransform(width))
            let longer = Double(max(height, width))
            var (sums, counts) = ([Double](), [Double]())
            for (place, coefficient) in transform(x).values.enumerated() {
                let (row, column) = (place / channels / width, place / channels % width)
                let (v, u) = (Double(row) / Double(2 * height), Double(column) / Double(2 * width))
                let bin = Int(((v * v + u * u).squareRoot() * longer).rounded())
                while sums.count <= bin { sums.append(0); counts.append(0) }
                sums[bin] += coefficient * coefficient / 4
                counts[bin] += 1
            }
            return zip(sums, counts).map { $0 / max(1, $1) }
        }
        let spectrum = RadialSpectrum(height: height, width: width)
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

    /// As a tile of at most 256 pixels, at least 64 by whole pixels.
    private func shown(_ x: PreciseImages, gain: Double) -> Image {
        let tile = Image(Tensor(shape: x.shape, scalars: x.values.map { Float($0 * gain) }), range: .signed)
            .converted(to: .rgb)
        let side = max(tile.width, tile.height)
        if side > 256 {
            return tile.resized(
                width: max(1, tile.width * 256 / side), height: max(1, tile.height * 256 / side))
        }
        let factor = max(1, 64 / side)
        return tile.resized(width: tile.width * factor, height: tile.height * factor, filter: .nearest)
    }
}
