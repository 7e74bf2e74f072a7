/// A file of weights or numbers is damaged, hostile, or not what was asked for; says which file and tensor.
public struct CheckpointFileError: Error, CustomStringConvertible, Equatable {
    public let file: String
    public let tensor: String?
    public let problem: String

    public init(file: String, tensor: String? = nil, problem: String) {
        self.file = file
        self.tensor = tensor
        self.problem = problem
    }

    public var description: String { "\(file): " + (tensor.map { "\($0) " } ?? "") + problem }
}
