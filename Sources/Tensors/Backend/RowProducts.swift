import CKernels

/// A worker's memory for rows as operands of products: in bfloat16 where the products are, and then no more than a few
/// rows exist in float32, in the first-level cache.
struct RowOperand {
    private let floats: Storage
    private let half: Storage?

    /// Scalars that are rounded at a time.
    private static let strip = 4096

    /// - Parameters:
    ///   - rows: the most that it holds.
    ///   - width: of the widest.
    ///   - shared: memory for as many scalars, which float32 operands use: what stays in the caches is what is small.
    init(rows: Int, width: Int, _ precision: ProductPrecision, sharing shared: Storage? = nil) {
        if precision == .bfloat16 {
            half = Storage(byteCount: 2 * rows * width)
            floats = Storage(byteCount: 4 * max(Self.strip, width))
        } else {
            half = nil
            floats = shared ?? Storage(byteCount: 4 * rows * width)
        }
    }

    /// The operand, which lasts until the next one.
    /// - Parameter write: writes the rows of a range, counted from the first of the operand.
    func callAsFunction(
        rows: Int, width: Int, _ write: (_ range: Range<Int>, _ target: Output) -> Void
    ) -> UnsafeRawPointer {
        guard half != nil else { return part(0..<rows, width: width) { write(0..<rows, $0) } }
        let step = max(1, Self.strip / max(1, width))
        for first in stride(from: 0, to: rows, by: step) {
            let range = first..<min(rows, first + step)
            part(range, width: width) { write(range, $0) }
        }
        return pointer
    }

    /// Scalars that are there already: themselves, or rounded.
    func callAsFunction(rounding x: Input, count: Int) -> UnsafeRawPointer {
        guard let half else { return UnsafeRawPointer(x) }
        sfumato_round_bfloat16(x, half.pointer.assumingMemoryBound(to: UInt16.self), Int64(count))
        return pointer
    }

    /// Makes some rows of an operand whose parts are made one by one, none with more scalars than the widest or
    /// `strip`.
    /// - Returns: the whole operand.
    @discardableResult
    func part(_ range: Range<Int>, width: Int, _ write: (_ target: Output) -> Void) -> UnsafeRawPointer {
        guard let half else {
            write(floats.floats(offset: range.lowerBound * width))
            return pointer
        }
        write(floats.floats())
        let rounded = half.pointer.assumingMemoryBound(to: UInt16.self) + range.lowerBound * width
        sfumato_round_bfloat16(floats.floats(), rounded, Int64(range.count * width))
        return pointer
    }

    private var pointer: UnsafeRawPointer { UnsafeRawPointer((half ?? floats).pointer) }
}

/// Products of blocks of rows with one layer's weights, each computed by the thread that asks for it.
struct RowProduct {
    /// For each worker the prepared products, by rows.
    private let products: [[(rows: Int, product: PreparedConvolution)]]

    /// Prepares plans and packed weights, on all threads.
    /// - Parameter kind: W·x + b, or Wᵀ·dy.
    init(_ operand: PointwiseOperand, _ kind: ConvolutionPlan.Kind, _ blocks: RowBlocks) {
        let plans = blocks.rowCounts.map { rows in
            let geometry = ConvolutionGeometry(rows: rows, inputs: operand.inputs, outputs: operand.outputs)
            let plan = ConvolutionPlanCache.shared.plan(
                geometry, kind, hasBias: kind == .forward && operand.bias != nil, .none, operand.precision,
                threads: 1)
            return (rows, plan)
        }
        products = (0..<blocks.workerCount).map { _ in
            plans.map { ($0, $1.prepared(operand.weight, operand.bias)) }
        }
    }

    func callAsFunction(_ x: UnsafeRawPointer, _ y: Output, rows: Int, worker: Int) {
        for (count, product) in products[worker] where count == rows { return product(x, y) }
        preconditionFailure("a block of \(rows) rows was not prepared for")
    }
}

/// Σ over rows of dy·xᵀ, the gradient of a layer's weights, made block by block: each worker has a sum of its own until
/// all are done.
struct WeightGradientSum {
    private let operand: PointwiseOperand
    private let target: Output
    /// Sums of all workers but the first, whose sum is the result's memory.
    private let others: [Storage]
    private let hasBegun: Storage

    init(_ operand: PointwiseOperand, into target: Output, _ blocks: RowBlocks) {
        (self.operand, self.target) = (operand, target)
        let workers = blocks.workerCount
        others = (1..<workers).map { _ in Storage(byteCount: 4 * operand.inputs * operand.outputs) }
        hasBegun = Storage(byteCount: workers)
        hasBegun.pointer.initializeMemory(as: Bool.self, repeating: false, count: workers)
    }

    func add(_ dy: UnsafeRawPointer, _ x: UnsafeRawPointer, rows: Int, worker: Int) {
        let begun = hasBegun.pointer.assumingMemoryBound(to: Bool.self) + worker
        OneDNN.addOuterProducts(
            dy, x, into: worker == 0 ? target : others[worker - 1].floats(), rows: rows,
            outputs: operand.outputs, inputs: operand.inputs, operand.precision, isFirst: !begun.pointee)
        begun.pointee = true
    }

    /// After the last block.
    func finish() {
        for other in others {
            backend.accumulate(
                other.floats(), into: target, scale: 1, count: operand.inputs * operand.outputs)
        }
    }
}
