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
