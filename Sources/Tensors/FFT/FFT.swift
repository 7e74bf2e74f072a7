import CFFTW
import Synchronization

/// Two-dimensional Fourier transforms of real images stored channels last, of any size, even or odd. The only
/// file that calls the FFT library (FFTW).
///
/// Definitions, unscaled: forward X[u,v] = Σ x[h,w]·exp(−2πi(uh/H + vw/W)) for v ≤ W/2; inverse
/// x[h,w] = Re Σ X[u,v]·exp(+2πi(uh/H + vw/W)) over all v, the missing half being the conjugate of the stored one.
/// Where the stored columns v = 0 and (W even) v = W/2 are not conjugate symmetric, their symmetric part counts,
/// which is what taking the real part means.
///
/// Plans are FFTW's estimates, not its measurements: a measured plan is chosen by a clock, so two runs of one
/// command could add in different orders and differ in their last bits. Plans are cached for the life of the process.
public struct RealFFT2<Scalar: FFTScalar>: Sendable {
    public let height: Int
    public let width: Int
    public let channels: Int

    /// Stored columns of the spectrum: W/2 + 1.
    public var spectrumWidth: Int { width / 2 + 1 }
    /// Scalars of one image, and of its spectrum (real and imaginary part of each coefficient).
    public var imageCount: Int { height * width * channels }
    public var spectrumCount: Int { 2 * height * spectrumWidth * channels }

    /// Channels transformed by one call of the library; fixed, so that the thread count cannot change a result.
    private static var channelsPerTask: Int { 16 }

    public init(height: Int, width: Int, channels: Int = 1) {
        precondition(
            height > 0 && width > 0 && channels > 0,
            "an FFT needs a positive size, not \(height)×\(width)×\(channels)")
        (self.height, self.width, self.channels) = (height, width, channels)
    }

    /// Unscaled forward transform: images `[N, H, W, C]` to spectra `[N, H, W/2+1, C, 2]`.
    public func forward(
        _ images: UnsafePointer<Scalar>, into spectra: UnsafeMutablePointer<Scalar>, count: Int
    ) {
        forEachTask(count: count) { image, channel, width in
            let plan = PlanCache.shared.plan(for: key(.forward, channels: width), make: Scalar.makePlan)
            // The library promises not to write to the input of an out-of-place forward transform.
            Scalar.executeForward(
                plan.handle, UnsafeMutablePointer(mutating: images + image * imageCount + channel),
                spectra + image * spectrumCount + 2 * channel)
        }
    }

    /// Unscaled inverse transform: spectra `[N, H, W/2+1, C, 2]` to images `[N, H, W, C]`.
    public func inverse(
        _ spectra: UnsafePointer<Scalar>, into images: UnsafeMutablePointer<Scalar>, count: Int
    ) {
        forEachTask(count: count) { image, channel, width in
            let plan = PlanCache.shared.plan(for: key(.inverse, channels: width), make: Scalar.makePlan)
            // The library overwrites the input of a multi-dimensional inverse transform.
            let scratchCount = 2 * height * spectrumWidth * width
            withUnsafeTemporaryAllocation(of: Scalar.self, capacity: scratchCount) { scratch in
                guard let base = scratch.baseAddress else { return }
                copySymmetric(spectra + image * spectrumCount + 2 * channel, into: base, channels: width)
                Scalar.executeInverse(plan.handle, base, images + image * imageCount + channel)
            }
        }
    }

    private func key(_ direction: FFTPlanKey.Direction, channels: Int) -> FFTPlanKey {
        FFTPlanKey(
            scalarSize: MemoryLayout<Scalar>.size, direction: direction, height: height, width: width,
            channels: channels, channelStride: self.channels)
    }

    private func forEachTask(count: Int, _ body: (_ image: Int, _ channel: Int, _ width: Int) -> Void) {
        let parts = (channels + Self.channelsPerTask - 1) / Self.channelsPerTask
        parallelFor(count * parts, grain: max(1, 8192 / (height * width))) { begin, end in
            for task in begin..<end {
                let channel = task % parts * Self.channelsPerTask
                body(task / parts, channel, min(Self.channelsPerTask, channels - channel))
            }
        }
    }

    /// Copies some channels of a spectrum and keeps only the conjugate-symmetric part of the columns that hold
    /// their own mirror images.
    private func copySymmetric(
        _ source: UnsafePointer<Scalar>, into target: UnsafeMutablePointer<Scalar>, channels count: Int
    ) {
        for place in 0..<height * spectrumWidth {
            (target + place * 2 * count).update(from: source + place * 2 * channels, count: 2 * count)
        }
        for column in width % 2 == 0 && width > 1 ? [0, width / 2] : [0] {
            for row in 0...height / 2 {
                let a = target + (row * spectrumWidth + column) * 2 * count
                let b = target + ((height - row) % height * spectrumWidth + column) * 2 * count
                for i in stride(from: 0, to: 2 * count, by: 2) {
                    let real = (a[i] + b[i]) / 2, imaginary = (a[i + 1] - b[i + 1]) / 2
                    (a[i], a[i + 1]) = (real, imaginary)
                    (b[i], b[i + 1]) = (real, -imaginary)
                }
            }
        }
    }
}

/// What distinguishes one plan from another.
public struct FFTPlanKey: Hashable, Sendable {
    enum Direction: Sendable { case forward, inverse }
    let scalarSize: Int, direction: Direction
    let height: Int, width: Int
    /// Channels transformed together, and channels of the whole image.
    let channels: Int, channelStride: Int
}

/// A plan is immutable and its execution on other arrays is thread-safe, as the library documents.
final class Plan: @unchecked Sendable {
    let handle: OpaquePointer
    init(handle: OpaquePointer) { self.handle = handle }
}

/// Plans made so far; making one is not thread-safe, hence the lock around it.
final class PlanCache: Sendable {
    static let shared = PlanCache()
    private let plans = Mutex<[FFTPlanKey: Plan]>([:])

    func plan(for key: FFTPlanKey, make: (FFTPlanKey) -> OpaquePointer?) -> Plan {
        plans.withLock { plans in
            if let plan = plans[key] { return plan }
            guard let handle = make(key) else {
                preconditionFailure("FFTW makes no plan for \(key.height)×\(key.width)×\(key.channels)")
            }
            let plan = Plan(handle: handle)
            plans[key] = plan
            return plan
        }
    }
}

/// Scalars that the FFT library knows: `Float` and `Double`. Its requirements are `RealFFT2`'s business.
public protocol FFTScalar: BinaryFloatingPoint & Sendable {
    static func makePlan(_ key: FFTPlanKey) -> OpaquePointer?
    static func executeForward(
        _ plan: OpaquePointer, _ image: UnsafeMutablePointer<Self>, _ spectrum: UnsafeMutablePointer<Self>)
    static func executeInverse(
        _ plan: OpaquePointer, _ spectrum: UnsafeMutablePointer<Self>, _ image: UnsafeMutablePointer<Self>)
}

extension FFTPlanKey {
    /// The library's arguments for a batch of interleaved channels; `image` is the stride between pixels,
    /// `spectrum` the stride between coefficients. An inverse reads a packed copy of its channels.
    fileprivate var layout: (size: [Int32], count: Int32, image: Int32, spectrum: Int32) {
        let packed = direction == .inverse ? channels : channelStride
        return ([Int32(height), Int32(width)], Int32(channels), Int32(channelStride), Int32(packed))
    }

    fileprivate var spectrumCount: Int { 2 * height * (width / 2 + 1) * channelStride }
    fileprivate var imageCount: Int { height * width * channelStride }
    fileprivate static var flags: UInt32 { UInt32(FFTW_ESTIMATE) | UInt32(FFTW_UNALIGNED) }
}

extension Float: FFTScalar {
    public static func makePlan(_ key: FFTPlanKey) -> OpaquePointer? {
        let layout = key.layout
        // Estimating writes nothing, but the planner looks at the arrays' addresses to see that they differ.
        let image = UnsafeMutablePointer<Float>.allocate(capacity: key.imageCount)
        let spectrum = UnsafeMutablePointer<Float>.allocate(capacity: key.spectrumCount)
        defer { image.deallocate(); spectrum.deallocate() }
        let complex = UnsafeMutableRawPointer(spectrum).assumingMemoryBound(to: fftwf_complex.self)
        return switch key.direction {
        case .forward:
            fftwf_plan_many_dft_r2c(
                2, layout.size, layout.count, image, nil, layout.image, 1, complex, nil, layout.spectrum, 1,
                FFTPlanKey.flags)
        case .inverse:
            fftwf_plan_many_dft_c2r(
                2, layout.size, layout.count, complex, nil, layout.spectrum, 1, image, nil, layout.image, 1,
                FFTPlanKey.flags)
        }
    }

    public static func executeForward(
        _ plan: OpaquePointer, _ image: UnsafeMutablePointer<Float>, _ spectrum: UnsafeMutablePointer<Float>
    ) {
        spectrum.withMemoryRebound(to: fftwf_complex.self, capacity: 1) {
            fftwf_execute_dft_r2c(plan, image, $0)
        }
    }

    public static func executeInverse(
        _ plan: OpaquePointer, _ spectrum: UnsafeMutablePointer<Float>, _ image: UnsafeMutablePointer<Float>
    ) {
        spectrum.withMemoryRebound(to: fftwf_complex.self, capacity: 1) {
            fftwf_execute_dft_c2r(plan, $0, image)
        }
    }
}

extension Double: FFTScalar {
    public static func makePlan(_ key: FFTPlanKey) -> OpaquePointer? {
        let layout = key.layout
        let image = UnsafeMutablePointer<Double>.allocate(capacity: key.imageCount)
        let spectrum = UnsafeMutablePointer<Double>.allocate(capacity: key.spectrumCount)
        defer { image.deallocate(); spectrum.deallocate() }
        let complex = UnsafeMutableRawPointer(spectrum).assumingMemoryBound(to: fftw_complex.self)
        return switch key.direction {
        case .forward:
            fftw_plan_many_dft_r2c(
                2, layout.size, layout.count, image, nil, layout.image, 1, complex, nil, layout.spectrum, 1,
                FFTPlanKey.flags)
        case .inverse:
            fftw_plan_many_dft_c2r(
                2, layout.size, layout.count, complex, nil, layout.spectrum, 1, image, nil, layout.image, 1,
                FFTPlanKey.flags)
        }
    }

    public static func executeForward(
        _ plan: OpaquePointer, _ image: UnsafeMutablePointer<Double>, _ spectrum: UnsafeMutablePointer<Double>
    ) {
        spectrum.withMemoryRebound(to: fftw_complex.self, capacity: 1) {
            fftw_execute_dft_r2c(plan, image, $0)
        }
    }

    public static func executeInverse(
        _ plan: OpaquePointer, _ spectrum: UnsafeMutablePointer<Double>, _ image: UnsafeMutablePointer<Double>
    ) {
        spectrum.withMemoryRebound(to: fftw_complex.self, capacity: 1) {
            fftw_execute_dft_c2r(plan, $0, image)
        }
    }
}
