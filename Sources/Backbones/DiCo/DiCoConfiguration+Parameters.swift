import Layers
import Tensors

extension DiCoConfiguration {
    /// Every parameter's name and shape, without making the model: sizes of a billion parameters are counted at once.
    public var parameterShapes: [(name: String, shape: Shape)] {
        let store = ParameterStore(.shapesOnly, isTracked: false)
        _ = DiCo(store.scope, self)
        return store.shapes
    }

    public var parameterCount: Int { parameterShapes.reduce(0) { $0 + $1.shape.elementCount } }
}
