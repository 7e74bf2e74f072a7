/// GELU by its tanh approximation, x·σ(√(8/π)·(x + 0.044715·x³)) (PyTorch's `approximate="tanh"`).
public func geluTanh(_ x: Tensor) -> Tensor {
    let inner = x * (x.squared * 0.044715 + 1) * 1.5957691216057308
    return x * sigmoid(inner)
}
