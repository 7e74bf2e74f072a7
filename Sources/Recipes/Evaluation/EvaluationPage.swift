import Checkpoints
import Foundation
import Images
import Metrics

extension Evaluation {
    /// One self-contained page: the numbers, samples beside real images, the closest pairs, spectra.
    /// - Throws: errors of reading images.
    public func page(_ report: EvaluationReport) throws -> String {
        var sections = [Self.table(report)]
        if !report.warnings.isEmpty {
            sections.append(
                "<ul class=w>" + report.warnings.map { "<li>\(Self.escaped($0))</li>" }.joined() + "</ul>")
        }
        sections.append(try Self.figure("Samples", grid(samples)))
        if let reference { sections.append(try Self.figure("Reference", grid(reference))) }
        if let reference, let neighbours = report.neighbours {
            sections.append(try neighbourSection(neighbours, reference))
        }
        if let spectra = report.spectra { sections.append(try Self.spectrumSection(spectra, report.bands)) }
        let facts = report.facts.map { "<tr><td>\(Self.escaped($0.name))<td>\(Self.escaped($0.value))" }
        let digests = [
            report.featuresDigest.map { "<tr><td>FeatNet-32 weights<td>\($0)" },
            report.inception.map { "<tr><td>Inception weights, mode<td>\($0.digest), \($0.mode)" },
        ].compactMap { $0 }
        sections.append("<h2>Protocol</h2><table>" + (facts + digests).joined() + "</table>")
        return Self.frame(title: samples.name, body: sections.joined(separator: "\n"))
    }

    private func grid(_ source: any ImageSource, count: Int = 64) throws -> Image {
        Image.grid(try source.images(0..<min(count, source.count)), background: 255)
    }

    private func neighbourSection(_ report: NeighbourReport, _ reference: any ImageSource) throws -> String {
        let pairs = try report.closest.flatMap { pair in
            try samples.images(pair.sample..<pair.sample + 1)
                + reference.images(pair.reference..<pair.reference + 1)
        }
        let distances = report.closest.map { Self.number($0.distance) }.joined(separator: ", ")
        return try Self.figure(
            "Closest pairs", Image.grid(pairs, columns: min(8, pairs.count), background: 255),
            caption: "Each sample stands left of its nearest reference image. Distances: \(distances).")
    }

    private static func spectrumSection(
        _ spectra: (samples: [Double], reference: [Double]), _ bands: [EvaluationReport.Band]
    ) throws -> String {
        var plot = LinePlot(
            title: "Power per spatial frequency", xLabel: "cycles per side", yLabel: "dB", width: 720,
            height: 420)
        let frequencies = (1...max(1, spectra.samples.count)).map(Double.init)
        guard spectra.samples.count == spectra.reference.count, !spectra.samples.isEmpty else { return "" }
        plot.add("samples", x: frequencies, y: spectra.samples)
        plot.add("reference", x: frequencies, y: spectra.reference)
        let rows = bands.map {
            "<tr><td>\($0.frequencies.lowerBound)–\($0.frequencies.upperBound)<td>\(TextTable.fixed($0.decibels, digits: 2))"
        }
        return try figure("Spectra", plot.image(), isPixelArt: false)
            + "<table><tr><th>cycles per side<th>samples − reference, dB" + rows.joined() + "</table>"
    }

    private static func table(_ report: EvaluationReport) -> String {
        let rows = report.rows.map { row in
            let deviation = row.deviation.map { " ± " + number($0) } ?? ""
            return "<tr><td>\(row.metric)<td class=n>\(number(row.value))\(deviation)<td class=n>"
                + "\(row.heldOut.map(number) ?? "")<td>\(escaped(row.method))"
        }
        let counts =
            "\(report.sampleCount) samples, \(report.referenceCount.map(String.init) ?? "unknown count of") "
            + "reference images, \(report.heldOutCount ?? 0) held out"
        return "<p>\(counts)</p><table><tr><th>metric<th>samples<th>held-out real<th>method"
            + rows.joined() + "</table>"
    }

    private static func number(_ value: Double) -> String { EvaluationReport.formatted(value) }

    private static func figure(
        _ title: String, _ image: Image, caption: String = "", isPixelArt: Bool = true
    ) throws -> String {
        let data = Data(try image.pngBytes()).base64EncodedString()
        let width = isPixelArt && image.width < 500 ? image.width * 2 : image.width
        return "<h2>\(title)</h2><img\(isPixelArt ? " class=p" : "") width=\(width) alt=\"\(title)\" "
            + "src=\"data:image/png;base64,\(data)\"><p>\(escaped(caption))</p>"
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;")
    }

    private static func frame(title: String, body: String) -> String {
        """
        <!doctype html><html lang=en><meta charset=utf-8><title>Evaluation of \(escaped(title))</title>
        <style>body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
        td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}.n{text-align:right;white-space:nowrap}
        img{max-width:100%;height:auto}.p{image-rendering:pixelated}.w{color:#a40}</style>
        <h1>Evaluation of \(escaped(title))</h1>
        \(body)
        </html>

        """
    }
}
