/// What a variable of a MATLAB file is.
indirect enum MatlabValue: Sendable {
    /// Real numbers, the first index fastest.
    case numbers(MatlabArray)
    case text(String)
    case cells([MatlabValue])
    /// An array of structures: each has all fields.
    case structures([[String: MatlabValue]])
    /// Something that holds no numbers for us: sparse or complex arrays, functions, objects of classes.
    case other(String)

    /// A field of the first structure.
    subscript(field: String) -> MatlabValue? {
        if case .structures(let all) = self { all.first?[field] } else { nil }
    }

    var array: MatlabArray? { if case .numbers(let array) = self { array } else { nil } }
    var text: String? { if case .text(let text) = self { text } else { nil } }

    /// The parts of a cell array, or of an array of structures.
    var items: [MatlabValue]? {
        switch self {
        case .cells(let cells): cells
        case .structures(let all): all.map { .structures([$0]) }
        default: nil
        }
    }
}

/// Numbers of a MATLAB array.
struct MatlabArray: Sendable {
    /// At least two extents; trailing ones are left out by MATLAB.
    var extents: [Int]
    var values: [Float]

    func extent(_ axis: Int) -> Int { axis < extents.count ? extents[axis] : 1 }
}
