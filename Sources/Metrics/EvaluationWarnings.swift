/// What a reader of the numbers should know about the sets.
enum EvaluationWarnings {
    static func of(
        _ samples: SampleSetMeasures, _ reference: SampleSetMeasures, _ heldOut: SampleSetMeasures?,
        _ metrics: [Metric]
    ) -> [String] {
        let sets = [samples, reference]
        var warnings = counts(sets, metrics)
        for set in sets where set.duplicateCount > 0 {
            warnings.append("\(set.name): \(set.duplicateCount) of \(set.count) images are exact duplicates.")
        }
        for set in sets where set.hasMixedSizes {
            warnings.append("\(set.name): images of different sizes, so no spectra were compared.")
        }
        if let own = samples.size, let real = reference.size, own != real, !samples.hasMixedSizes,
            !reference.hasMixedSizes
        {
            warnings.append(
                "images are \(own) and \(real), so no spectra were compared; compare sets that were resized alike."
            )
        }
        if let heldOut, heldOut.count != samples.count {
            warnings.append(
                "the held-out set has \(heldOut.count) images, the samples \(samples.count): distances fall with the "
                    + "count, so the columns do not compare.")
        }
        return warnings
    }

    private static func counts(_ sets: [SampleSetMeasures], _ metrics: [Metric]) -> [String] {
        var warnings: [String] = []
        let usesSmall = metrics.contains { !$0.needsInception }
        for set in sets {
            guard let count = set.knownCount else { continue }
            if usesSmall, count <= WaveletModulus.dimensions {
                warnings.append(
                    "\(set.name): \(count) images are fewer than the features' dimensions; Fréchet distances are "
                        + "comparable only at equal counts.")
            }
            let dimensions = InceptionNetwork.dimensions
            if metrics.contains(where: { $0.name == "fid" }), count <= dimensions {
                warnings.append(
                    "\(set.name): FID of \(count) images, fewer than its \(dimensions) dimensions, compares only "
                        + "with FIDs of as many; kid and fd-feat are steadier.")
            }
        }
        let smallest = sets.compactMap(\.knownCount).min() ?? 0
        if metrics.contains(where: { $0.name == "kid" }), smallest < 1000 {
            warnings.append("kid: subsets of \(smallest) images instead of the usual 1000.")
        }
        return warnings
    }
}
