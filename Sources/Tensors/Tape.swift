/// One step of the recorded computation: who it depends on, and how a gradient flows back to them.
final class TapeNode: @unchecked Sendable {
    let inputs: [TapeNode?]
    var backward: ((Tensor) -> [Tensor?])?
    var gradient: Tensor?

    init(inputs: [TapeNode?], backward: ((Tensor) -> [Tensor?])?) {
        self.inputs = inputs
        self.backward = backward
    }
}
