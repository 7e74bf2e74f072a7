/// A worker's memory for rows as operands of products: rounded where these are in bfloat16.
struct RowRounding {
    private let half: Storage?

    /// - Parameter capacity: the most scalars.
    init(capacity: Int, _ precision: ProductPrecision) {
        half = precision == .bfloat16 ? Storage(byteCount: 2 * capacity) : nil
    }

    /// The operand, which lasts until the next one.
    func callAsFunction(_ x: Input, count: Int) -> UnsafeRawPointer {
        guard let half else { return UnsafeRawPointer(x) }
        backend.roundToBFloat16(x, half.pointer.assumingMemoryBound(to: UInt16.self), count: count)
        return UnsafeRawPointer(half.pointer)
    }
}

/// Products of blocks of rows with one layer's weights, each computed by the thread that asks for it.
///
/// Plans, packed weights and the library's objects for a call are made the first time and kept beside the weights until
/// these change: a network that runs again at the same shape makes none of them.
final class RowProduct {
    private struct Entry {
        let rows: Int
        let product: PreparedConvolution
        let key: PreparedKey
    }

    private let weight: WeightBuffer
    /// For each worker its products, by rows.
    private let entries: [[Entry]]

    /// - Parameters:
    ///   - kind: W·x + b, or Wᵀ·dy.
    ///   - activation: of the results, forward.
    init(
        _ operand: PointwiseOperand, _ kind: ConvolutionPlan.Kind, _ blocks: RowBlocks,
        activation: ConvolutionActivation = .none
    ) {
        let (weight, bias) = (operand.weight, kind == .forward ? operand.bias : nil)
        let plans = blocks.rowCounts.map { rows in
            let geometry = ConvolutionGeometry(rows: rows, inputs: operand.inputs, outputs: operand.outputs)
            return (
                rows,
                ConvolutionPlanCache.shared.plan(
                    geometry, kind, hasBias: bias != nil, activation, operand.precision, threads: 1)
            )
        }
        self.weight = weight
        entries = (0..<blocks.workerCount).map { _ in
            plans.map { rows, plan in
                let key = PreparedKey(
                    plan: ObjectIdentifier(plan), offset: weight.offset, bias: Int(bitPattern: bias))
                let product = weight.storage.takePrepared(key) ?? plan.prepared(weight, bias)
                return Entry(rows: rows, product: product, key: key)
            }
        }
    }

    deinit {
        for entry in entries.joined() { weight.storage.givePrepared(entry.product, entry.key) }
    }

    func callAsFunction(_ x: UnsafeRawPointer, _ y: Output, rows: Int, worker: Int) {
        for entry in entries[worker] where entry.rows == rows { return entry.product(x, y) }
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
